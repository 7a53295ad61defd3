/** Rules in the manner of SigmaHQ's, written for these tests: one of every shape that such rules have. */
export const sampleRules: Readonly<Record<string, string>> = {
  'python-inline-socket.yml': `
title: Python One-Liner That Opens A Network Connection
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a01
status: experimental
description: |
    Detects Python started with code on its command line that imports the socket module and connects.
references:
    - https://attack.mitre.org/techniques/T1059/006/
author: detproof
date: 2025-03-01
modified: 2025-04-02
tags:
    - attack.execution
    - attack.t1059.006
logsource:
    product: linux
    category: process_creation
detection:
    selection_img:
        Image|contains: '/python'
    selection_flag:
        CommandLine|contains|windash: ' -c '
    selection_code:
        CommandLine|contains|all:
            - 'socket'
            - 'connect('
    filter_main_admin:
        User: 'ansible'
        CurrentDirectory|startswith: '/opt/automation/'
    condition: all of selection_* and not 1 of filter_main_*
falsepositives:
    - Administrative one-liners
level: high
`,
  'python-from-hidden-directory.yml': `
title: Python Script Run From A Hidden Directory
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a02
status: test
description: Detects a Python script in a hidden directory below a directory that everybody can write to.
author: detproof
date: 2025-03-01
tags: [attack.execution, attack.t1059.006, attack.defense-evasion, attack.t1564.001]
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        - Image|endswith: ['/python', '/python2', '/python3']
        - Image|re: '/python3\\.\\d{1,2}$'
    script:
        CommandLine|re: '\\s/(tmp|var/tmp|dev/shm)/(\\S+/)?\\.[^/\\s]+/\\S+\\.py'
    condition: selection and script
falsepositives: [Unknown]
level: medium
`,
  'shell-spawned-by-python.yml': `
title: Shell Spawned By Python As Another User Than Root
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a03
description: Detects an interactive shell whose parent is Python.
author: detproof
date: 2025-03-01
tags: [attack.execution, attack.t1059.004]
logsource: { product: linux, category: process_creation }
detection:
    parent:
        ParentImage|endswith: '/python3*'
    shell:
        Image:
            - '/bin/sh'
            - '/bin/bash'
            - '/usr/bin/?ash'
    root:
        User|cased: root
    notty:
        process.tty: null
    condition: parent and shell and not (root or notty)
level: medium
`,
  'python-web-server-port.yml': `
title: Connection To A High Port By An Interpreter
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a04
description: Detects interpreters that connect outside to an unprivileged port.
author: detproof
date: 2025-03-01
tags: [attack.command-and-control, attack.t1571]
logsource: { product: linux, category: network_connection }
detection:
    selection:
        Image|contains: ['python', 'perl', 'ruby']
        DestinationPort|gte: 1024
    filter_local:
        DestinationIp|cidr:
            - '127.0.0.0/8'
            - '10.0.0.0/8'
            - '::1/128'
            - 'fe80::/10'
    filter_known:
        DestinationPort: [8080, 8443]
    condition: selection and not 1 of filter_*
level: low
`,
  'cron-file-by-interpreter.yml': `
title: Cron Table Written By An Interpreter
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a05
description: Detects cron files that Python writes or changes.
author: detproof
date: 2025-03-01
tags: [attack.persistence, attack.t1053.003]
logsource: { product: linux, category: file_event }
detection:
    path:
        TargetFilename|startswith: ['/etc/cron', '/var/spool/cron/']
    interpreter:
        Image|endswith: ['/python3', '/python']
    condition: path and interpreter
level: high
`,
  'encoded-python-command.yml': `
title: Base64 Of A Python Import On A Command Line
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a06
description: Detects the Base64 form of imports that reverse shells need, wherever it starts.
author: detproof
date: 2025-03-01
tags: [attack.defense-evasion, attack.t1027]
logsource: { product: linux, category: process_creation }
detection:
    encoded:
        CommandLine|base64offset|contains: ['import socket', 'import pty']
    wide:
        CommandLine|wide|base64offset|contains: 'import os'
    condition: 1 of them
level: high
`,
  'cron-runs-python.yml': `
title: Cron Runs Python From A Temporary Directory
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a07
description: Detects cron's own log line for such a job.
author: detproof
date: 2025-03-01
tags: [attack.persistence, attack.t1053.003]
logsource: { product: linux, service: cron }
detection:
    keywords:
        '|all':
            - 'CMD ('
            - 'python'
            - '/tmp/'
    condition: keywords
level: medium
`,
  'sshd-keywords.yml': `
title: Suspicious Messages Of The SSH Daemon
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a08
description: Detects messages that hint at a client that does not speak the protocol.
author: detproof
date: 2025-03-01
tags: [attack.initial-access, attack.t1190]
logsource: { product: linux, service: sshd }
detection:
    keywords:
        - 'unexpected internal error'
        - 'Bad protocol version identification'
        - 'Local: * GSSAPI'
    condition: keywords
level: medium
`,
  'script-runs-itself.yml': `
title: Process With Its Parent's Command Line
id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a09
description: Detects a process that started itself again in another directory.
author: detproof
date: 2025-03-01
tags: [attack.defense-evasion]
logsource: { product: linux, category: process_creation }
detection:
    same:
        CommandLine|fieldref: ParentCommandLine
        CurrentDirectory|exists: true
    place:
        CurrentDirectory|fieldref|neq: process.parent.working_directory
    condition: same and place
level: low
`,
};
