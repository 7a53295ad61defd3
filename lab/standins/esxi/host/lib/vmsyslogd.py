"""The host's syslog: takes datagrams off /dev/log, writes them to the log of their program, and relays them to the lab's SIEM.

Arguments: ADDRESS PORT. What is written has the form of ESXi 8 in the files and in the relay. An accepted login is also told as vobd does.
"""
import os
import re
import socket
import sys
import time

FORM = re.compile(r"<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(?:([^\s:[\]]+)(\[\d+\])?: )?(.*)", re.S)
ACCEPTED = re.compile(r"Accepted \S+ for (\S+) from (\S+) port ")
LOGS = {"sshd": "auth", "shell": "shell", "Hostd": "hostd", "vobd": "vobd"}
SEVERITIES = ("Em", "Al", "Cr", "Er", "Wa", "No", "In", "Db")
USER_INFO, USER_NOTICE = 14, 13


class Log:
    def __init__(self, relay):
        self.relay = relay
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.host = socket.gethostname()

    def write(self, priority, program, pid, text):
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now * 1000 % 1000)
        name = LOGS.get(program, "syslog")
        for line in text.splitlines():
            rest = "%s%s: %s" % (program, pid, line)
            with open("/var/log/%s.log" % name, "a", encoding="utf-8", errors="surrogateescape") as log:
                log.write("%s %s(%d) %s\n" % (stamp, SEVERITIES[priority & 7], priority, rest))
            datagram = "<%d>%s %s %s" % (priority, stamp, self.host, rest)
            try:
                self.sender.sendto(datagram.encode("utf-8", "surrogateescape"), self.relay)
            except OSError:
                pass  # as real hosts: nobody listens, and what was to be relayed is lost

    def take(self, datagram):
        text = datagram.decode("utf-8", "surrogateescape").rstrip("\0\n")
        match = FORM.fullmatch(text)
        if match is None:
            self.write(USER_NOTICE, "syslog", "", text)
            return
        priority, program, pid, message = match.groups()
        self.write(min(int(priority), 191), program or "syslog", pid or "", message)
        login = ACCEPTED.match(message)
        if program == "sshd" and login is not None:
            said = "[UserLevelCorrelator] %dus: [vob.user.ssh.session.opened] SSH session was opened for '%s@%s'."
            microseconds = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
            self.write(USER_INFO, "vobd", "[%d]" % os.getpid(), said % (microseconds, login.group(1), login.group(2)))


def main(address, port):
    with open("/run/lab/proc/self/comm", "w") as comm:
        comm.write("vmsyslogd")  # as ESXi's ps lists it
    log = Log((address, int(port)))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
    listener.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    while True:
        log.take(listener.recv(65536))


main(*sys.argv[1:])
