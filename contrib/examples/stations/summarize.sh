#!/bin/bash
# usage: summarize.sh DIRECTORY
# Prints a line for each file STATION_WINDOW.txt there: the coldest and the warmest mean.
set -euo pipefail
echo station,window,coldest,warmest
for file in "$1"/*.txt; do
    name=$(basename "$file" .txt)
    awk -v station="${name%_*}" -v window="${name##*_}" '
        NR > window && (!seen++ || $2 < low) { low = $2 }
        NR > window && (seen == 1 || $2 > high) { high = $2 }
        END { printf "%s,%d,%.1f,%.1f\n", station, window, low, high }' "$file"
done | sort -t, -k1,1 -k2,2n
