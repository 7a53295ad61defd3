"""What launchd(8) does of it for the stand-in: jobs that are bootstrapped, started once, and booted out.

Run by an interpreter that bears the name /sbin/launchd and reads this from its standard input, so that a job's parent is
/sbin/launchd in every respect. Answers launchctl on a socket, a line for a line, `code TAB text`; the kernel says who asks.
"""
import os
import plistlib
import re
import signal
import socket
import struct
import syslog
import time

SOCKET = "/run/launchd.sock"
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
# What a scenario's job may ask for; everything else is refused by name, so that nothing is believed to be done that is not.
KNOWN = {
    "Label", "Program", "ProgramArguments", "RunAtLoad", "WorkingDirectory", "StandardInPath", "StandardOutPath",
    "StandardErrorPath", "EnvironmentVariables", "ProcessType", "LimitLoadToSessionType", "AbandonProcessGroup",
}
jobs = {}


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def say(domain, label, text, pid=None):
    who = label if pid is None else "%s [%d]" % (label, pid)
    syslog.syslog(syslog.LOG_NOTICE, "[%s/%s:] %s" % (domain, who, text))


def account(uid):
    with open("/etc/passwd") as entries:
        for entry in entries:
            name, _, own, group, _, home, shell = entry.rstrip("\n").split(":")
            if int(own) == uid:
                return {"name": name, "gid": int(group), "home": home, "shell": shell}
    raise Refused(125, "Domain does not support specified action")


def domain_of(text, uid):
    match = re.fullmatch(r"(gui|user)/(\d+)", text)
    if match is None:
        raise Refused(125, "Domain does not support specified action")
    if uid not in (0, int(match[2])):
        raise Refused(1, "Operation not permitted")
    return text, int(match[2])


def service_of(text, uid):
    domain, _, label = text.rpartition("/")
    return domain_of(domain, uid)[0], label


def read_plist(path, uid):
    try:
        with open(path, "rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            plist = plistlib.load(file)
    except (OSError, ValueError, plistlib.InvalidFileException):
        raise Refused(5, "Input/output error")
    if owner not in (0, uid):
        raise Refused(122, "Path had bad ownership/permissions")
    if not isinstance(plist, dict) or not isinstance(plist.get("Label"), str):
        raise Refused(109, "Invalid property list")
    strange = sorted(set(plist) - KNOWN)
    if strange:
        raise Refused(109, "Invalid property list (the stand-in does not do %s)" % ", ".join(strange))
    return plist


def become(plist, uid):
    """In the child: everything that a job's process has, up to and including its program."""
    person = account(uid)
    with open("/proc/self/loginuid", "w") as login:
        login.write(str(uid))
    os.setsid()
    os.initgroups(person["name"], person["gid"])
    os.setgid(person["gid"])
    os.setuid(uid)
    os.umask(0o022)
    os.chdir(plist.get("WorkingDirectory", "/"))
    plain = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, key, flags in ((0, "StandardInPath", os.O_RDONLY), (1, "StandardOutPath", plain), (2, "StandardErrorPath", plain)):
        target = os.open(plist.get(key, "/dev/null"), flags, 0o644)
        os.dup2(target, number)
        if target > 2:
            os.close(target)
    os.closerange(3, 256)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    environment = dict(ENVIRONMENT, HOME=person["home"], USER=person["name"], LOGNAME=person["name"], SHELL=person["shell"], TMPDIR="/tmp/")
    environment.update(plist.get("EnvironmentVariables", {}), XPC_SERVICE_NAME=plist["Label"])
    arguments = plist.get("ProgramArguments") or [plist["Program"]]
    program = plist.get("Program", arguments[0])
    (os.execve if "/" in program else os.execvpe)(program, arguments, environment)


def spawn(domain, uid, plist, why):
    label = plist["Label"]
    program = os.path.basename(plist.get("Program") or plist["ProgramArguments"][0])
    pid = os.fork()
    if pid == 0:
        try:
            become(plist, uid)
        except BaseException as error:
            syslog.syslog(syslog.LOG_ERR, "[%s/%s:] Service could not initialize: %s" % (domain, label, error))
        os._exit(78)
    jobs[domain, label].update(pid=pid, exit=None)
    say(domain, label, "Successfully spawned %s[%d] because %s" % (program, pid, why), pid)


def bootstrap(uid, domain_text, path):
    domain, owner = domain_of(domain_text, uid)
    account(owner)
    plist = read_plist(path, owner)
    key = (domain, plist["Label"])
    if key in jobs:
        raise Refused(5, "Input/output error")
    if not (plist.get("Program") or plist.get("ProgramArguments")):
        raise Refused(109, "Invalid property list")
    jobs[key] = {"plist": plist, "path": path, "uid": owner, "pid": None, "exit": None}
    say(domain, plist["Label"], "Service added: %s" % path)
    if plist.get("RunAtLoad") is True:
        spawn(domain, owner, plist, "speculative")
    return ""


def kickstart(uid, service):
    domain, label = service_of(service, uid)
    job = jobs.get((domain, label))
    if job is None:
        raise Refused(113, "Could not find service")
    if job["pid"] is None:
        spawn(domain, job["uid"], job["plist"], "non-ipc demand")
    return ""


def bootout(uid, service, path=""):
    if path:
        domain, _ = domain_of(service, uid)
        label = next((label for (own, label), job in jobs.items() if own == domain and job["path"] == path), None)
    else:
        domain, label = service_of(service, uid)
    job = jobs.get((domain, label))
    if job is None:
        raise Refused(3, "No such process")
    for kill in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + 2
        if job["pid"] is not None:
            os.kill(job["pid"], kill)
        while job["pid"] is not None and time.monotonic() < until:
            reap()
            time.sleep(0.02)
    del jobs[domain, label]
    say(domain, label, "Service removed")
    return ""


def show(uid, service):
    domain, label = service_of(service, uid)
    job = jobs.get((domain, label))
    if job is None:
        raise Refused(113, "Could not find service")
    state = "not running" if job["pid"] is None else "running"
    lines = ["%s = {" % service, "\tpath = %s" % job["path"], "\tstate = %s" % state]
    if job["pid"] is not None:
        lines.append("\tpid = %d" % job["pid"])
    if job["exit"] is not None:
        lines.append("\tlast exit code = %d" % job["exit"])
    return "\n".join(lines + ["}"])


def listing(uid):
    rows = ["PID\tStatus\tLabel"]
    for (_, label), job in jobs.items():
        if uid in (0, job["uid"]):
            rows.append("%s\t%s\t%s" % (job["pid"] or "-", job["exit"] or 0, label))
    return "\n".join(rows)


VERBS = {"bootstrap": bootstrap, "kickstart": kickstart, "bootout": bootout, "print": show, "list": listing}


def reap():
    """Notices which jobs have ended, and says how, as launchd does."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for (domain, label), job in jobs.items():
            if job["pid"] == pid:
                job.update(pid=None, exit=os.waitstatus_to_exitcode(status))
                how = "exited due to SIGNAL %d" % -job["exit"] if job["exit"] < 0 else "exited with exit code %d" % job["exit"]
                say(domain, label, how, pid)


def answer(connection):
    connection.settimeout(2)
    uid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    words = connection.makefile("r", encoding="utf-8").readline(65536).rstrip("\n").split("\t")
    try:
        verb = VERBS.get(words[0])
        if verb is None:
            raise Refused(64, "the stand-in's launchd does not know %s" % words[0])
        code, text = 0, verb(uid, *words[1:])
    except Refused as refusal:
        code, text = refusal.code, str(refusal)
    except TypeError:
        code, text = 64, "wrong number of arguments"
    connection.sendall(("%d\t%s" % (code, text)).encode())


def main():
    syslog.openlog("launchd", syslog.LOG_PID, syslog.LOG_DAEMON)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    server.listen(16)
    server.settimeout(0.2)
    while True:
        try:
            connection, _ = server.accept()
            with connection:
                answer(connection)
        except (socket.timeout, OSError):
            pass
        reap()


main()
