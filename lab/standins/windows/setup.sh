#!/bin/sh
# Accounts and folders for the sshd of the Windows stand-in, in mount and UTS namespaces of its own:
#   setup.sh FOLDER
# FOLDER, below /run, holds `etc`, each of whose account files is laid over the machine's.
set -eu
own=$1

# Without a mount table: that would be a file of the machine, /run/mount/utab.
mount() { command mount --no-mtab "$@"; }

for entry in passwd group shadow nsswitch.conf; do
  if [ -e "/etc/$entry" ]; then
    mount --bind "$own/etc/$entry" "/etc/$entry"
    mount -o remount,bind,ro "/etc/$entry"
  fi
done

# sshd wants /run/sshd, and nothing else of /run but the stand-in's own folder.
mkdir -p "$own/run"
mount -t tmpfs -o nosuid,nodev,mode=0755,size=1m detproof-lab "$own/run"
mkdir "$own/run/sshd"
mkdir -p "$own/run/${own#/run/}"
mount --bind "$own" "$own/run/${own#/run/}"
mount --move "$own/run" /run
