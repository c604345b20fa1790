#!/bin/bash
# usage: measure.sh STATION DAYS FILE
# Writes a reading of each hour: day, hour, degrees. Some are missing, some are nonsense. The same
# station always has the same weather.
set -euo pipefail
station=$1 days=$2 file=$3
mkdir -p "$(dirname "$file")" work/clean work/smooth
seed=$(($(printf '%s' "$station" | cksum | cut -d' ' -f1) % 100000))
awk -v seed="$seed" -v days="$days" '
    BEGIN {
        srand(seed)
        base = 4 + 10 * rand()
        swing = 6 + 8 * rand()
        pi = atan2(0, -1)
        for (day = 1; day <= days; day++) {
            front = front * 0.8 + 3 * (rand() - 0.5)
            for (hour = 0; hour < 24; hour++) {
                luck = rand()
                if (luck < 0.01) continue
                if (luck < 0.02) { print day, hour, -999; continue }
                season = -swing * cos(2 * pi * day / 365)
                sun = -4 * cos(2 * pi * (hour - 2) / 24)
                printf "%d %d %.2f\n", day, hour, base + season + sun + front + rand() - 0.5
            }
        }
    }' > "$file"
