-- Lmod: copy this to torc/VERSION.lua in a directory of your MODULEPATH, and say below where that
-- version is installed.

local version = myModuleVersion()
local root = pathJoin("/opt/torc", version)

help([[
torc runs many commands on one node and keeps the record of every one.
Begin with: torcctl help, man torcctl
Completion in bash: source <(torcctl completions bash)
]])

whatis("Name: torc")
whatis("Version: " .. version)
whatis("Description: run many commands on a node, with a durable record")
conflict("torc")

-- `man` finds the pages in share/man by this too; a MANPATH would hide those of the system.
prepend_path("PATH", pathJoin(root, "bin"))
