#%Module1.0
# Environment Modules: copy this to torc/VERSION in a directory of your MODULEPATH, and say below where
# that version is installed.

set version [file tail [module-info name]]
set root /opt/torc/$version

proc ModulesHelp {} {
    puts stderr "torc runs many commands on one node and keeps the record of every one."
    puts stderr "Begin with: torcctl help, man torcctl"
    puts stderr "Completion in bash: source <(torcctl completions bash)"
}

module-whatis "torc $version: run many commands on a node, with a durable record"
conflict torc

# `man` finds the pages in $root/share/man by this too; a MANPATH would hide those of the system.
prepend-path PATH $root/bin
