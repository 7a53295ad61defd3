/** A Python interpreter that was found on a host. */
export type FoundPython = {
  /** As it is called. */
  readonly path: string;
  /** What it leads to, when that is another file. */
  readonly realPath?: string;
  /** As it says itself, or (Windows) as its file says; absent where it was not run. */
  readonly version?: string;
  /** Package, signer or whatever the platform says it belongs to. */
  readonly owner?: string;
  /** Only stands in for one: Apple's stub, which opens a dialog when called, and the alias of a store. Was not called. */
  readonly stub?: true;
};

/** What was seen of a host through one account, without running anything but its own tools. */
export type HostLook = {
  readonly user: string;
  /** May it act as an administrator without being asked for anything? Absent when that was not told. */
  readonly admin?: boolean;
  readonly pythons: readonly FoundPython[];
  /** Short names of running processes, as far as the account may see them. */
  readonly processes: readonly string[];
  /** The account may see its own processes only, as with `hidepid` on Linux. */
  readonly processesOfOthers?: 'hidden';
};

/**
 * Reads what the `inspect` script of a dialect says: `user NAME`, `admin yes|no`, `process NAME`, `others hidden`, and `python`, `stub` with path,
 * real path, version and owner parted by tabs. Host output is hostile: a line that is not of these is not there.
 */
export function parseHostLook(text: string): HostLook {
  const lines = text.split(/\r?\n/);
  const values = (key: string): readonly string[] =>
    lines.flatMap((line) => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []));
  const python = (line: string, stub: boolean): readonly FoundPython[] => {
    const [path = '', real = '', version = '', owner = ''] = line.split('\t').map((part) => part.trim());
    if (!/^(?:\/|[A-Za-z]:\\)/.test(path)) return [];
    return [
      {
        path,
        ...(real === '' || real === path ? {} : { realPath: real }),
        ...(version === '' ? {} : { version: version.replace(/^Python /, '').slice(0, 100) }),
        ...(owner === '' ? {} : { owner: owner.slice(0, 200) }),
        ...(stub ? { stub: true as const } : {}),
      },
    ];
  };
  const found = [
    ...values('python').flatMap((line) => python(line, false)),
    ...values('stub').flatMap((line) => python(line, true)),
  ];
  const admin = values('admin')[0];
  return {
    user: values('user')[0] ?? '',
    ...(admin === 'yes' || admin === 'no' ? { admin: admin === 'yes' } : {}),
    pythons: [...new Map(found.map((one) => [one.path, one])).values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    processes: [...new Set(values('process'))].sort(),
    ...(values('others')[0] === 'hidden' ? { processesOfOthers: 'hidden' as const } : {}),
  };
}
