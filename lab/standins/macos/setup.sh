#!/bin/sh
# Gives a stand-in's mount namespace the root folder of a Mac. Runs as root inside it, before anything else does:
#   setup.sh RUNTIME ACCOUNT UID GID PYTHON
# RUNTIME is the stand-in's folder below /run, with what layout.ts put there; PYTHON the machine's own interpreter.
# Everything mounted here is seen by this host only and is gone with its last process.
set -eu
runtime=$1 account=$2 uid=$3 gid=$4 python=$5
root=$runtime/root
version=${python##*/}

# Without a mount table: that would be a file of the machine, /run/mount/utab.
mount() { command mount --no-mtab "$@"; }

private() { # TARGET MODE SIZE: an empty file system of this host's own; its source name marks the host as the lab's
  mount -t tmpfs -o "nosuid,nodev,mode=$2,size=$3" detproof-lab "$1"
}

lay_over() { # SOURCE TARGET [OPTIONS]
  mount --bind "$1" "$2"
  mount -o "remount,bind,ro,nosuid${3:-}" "$2"
}

private "$root" 0755 96m
cd "$root"
mkdir -p usr/bin usr/sbin usr/libexec bin sbin opt/homebrew/bin opt/homebrew/lib Applications System \
  Library/Developer/CommandLineTools/usr/bin Library/Developer/CommandLineTools/usr/lib \
  private/etc private/tmp private/var dev proc run .machine

# What Debian's programs need to run at all; a Mac has these elsewhere or not at all.
for folder in usr/lib usr/share usr/lib64; do
  [ -d "/$folder" ] || continue
  mkdir -p "$folder"
  lay_over "/$folder" "$folder"
done
for link in lib lib64; do ln -s "usr/$link" "$link"; done
ln -s private/etc private/tmp private/var .

# The commands of a Mac that Debian has too, at a Mac's paths and no others: there is no setsid, no sha256sum, no systemctl.
take() { # FOLDER NAME...
  folder=$1
  shift
  for name; do
    for from in /usr/bin /usr/sbin; do
      if [ -x "$from/$name" ]; then cp -L "$from/$name" "$folder/$name"; fi
    done
  done
}
take bin '[' bash cat chmod cp date dd df echo expr hostname kill ln ls mkdir mv ps pwd rm rmdir sleep stty sync test zsh
cp -L /bin/dash bin/sh
take usr/bin awk basename cal cmp comm curl cut diff dirname du env expand false file find fold getconf grep egrep fgrep git gunzip \
  gzip head iconv id join killall last less logger logname mktemp more nc nice nl nohup od openssl paste patch perl pgrep pkill \
  printenv printf renice rev sed seq shasum sort split stat strings tail tar tee time touch tput tr true tty uname uniq uptime \
  vi w wc which who whoami xargs yes zip unzip zipinfo base64 ssh scp sftp
take usr/sbin chown sysctl
take sbin ping
cp "$runtime"/bin/* bin/
cp "$runtime"/usr-bin/* usr/bin/
# It has to be a program of its own for its children to have it as their parent; zshenv makes it what it is.
cp bin/zsh usr/bin/osascript
cp /usr/lib/openssh/sftp-server usr/libexec/sftp-server
# Links, not copies: the lab's audit rules know these two programs by their inodes.
: > usr/sbin/sshd
lay_over "$runtime/programs/sshd" usr/sbin/sshd ,exec
: > sbin/launchd
lay_over "$runtime/programs/launchd" sbin/launchd ,exec

# Copies, so that the interpreter's own word and the kernel's are the path that it has on a Mac; their library stays Debian's.
for prefix in opt/homebrew Library/Developer/CommandLineTools/usr; do
  cp "$python" "$prefix/bin/$version"
  ln "$prefix/bin/$version" "$prefix/bin/python3"
  ln -s "/usr/lib/$version" "$prefix/lib/$version"
done

private private/etc 0755 4m
cp -R "$runtime"/etc/. private/etc/
for entry in ld.so.cache localtime ssl mime.types protocols services; do
  [ -e "/etc/$entry" ] && cp -RL "/etc/$entry" private/etc/ 2>/dev/null || true
done
cp -R /etc/alternatives private/etc/
rm -rf private/etc/ssl/private

private private/tmp 1777 64m
private private/var 0755 32m
mkdir -p private/var/log private/var/db private/var/root private/var/empty private/var/folders
mkdir -m 1777 private/var/tmp
for log in lastlog wtmp btmp; do : > "private/var/log/$log"; done
ln -s ../../run private/var/run
: > private/var/db/xcselect-shim
cp "$runtime/programs/launchd.py" private/var/db/launchd.py
mount --bind "$runtime/shim-calls" private/var/db/xcselect-shim

mkdir Users Volumes
private Users 0755 128m
mkdir -m 0755 Users/Shared
mkdir -m 0750 "Users/$account"
for folder in Desktop Documents Downloads Library 'Library/LaunchAgents' 'Library/Application Support' 'Library/Caches'; do
  mkdir -m 0700 "Users/$account/$folder"
done
chown -R "$uid:$gid" "Users/$account"
# On a Mac diskarbitrationd makes the folders here; the hdiutil of this host has no such helper.
private Volumes 1777 32m
mkdir -p Library/LaunchAgents Library/LaunchDaemons
# Standard accounts of a Mac that are members of admin may write here; the one of this host is.
private_admin() { mkdir -m 0775 "$1" && chown "$uid:$gid" "$1"; }
private_admin 'Library/Application Support'
chmod 0775 Applications && chown "$uid:$gid" Applications

mount --rbind /proc proc
mount -t tmpfs -o nosuid,noexec,mode=0755,size=1m detproof-lab dev
device() { mknod -m 0666 "dev/$1" c "$2" "$3"; }
device null 1 3
device zero 1 5
device full 1 7
device random 1 8
device urandom 1 9
device tty 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,nosuid,noexec,gid=5,mode=0620,ptmxmode=0666 devpts dev/pts
private dev/shm 1777 16m
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"; done
ln -s /run/syslog/dev-log dev/log

private run 0755 8m
mkdir run/sshd run/syslog run/hdiutil
chown "$uid:$gid" run/hdiutil
: > run/utmp
mount --bind "$runtime/syslog" run/syslog

pivot_root . .machine
cd /
/.machine/bin/umount --no-mtab --lazy /.machine
rmdir /.machine
