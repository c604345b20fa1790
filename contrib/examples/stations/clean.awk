# The mean of each day, without readings that cannot be.
$3 > -60 && $3 < 60 { sum[$1] += $3; count[$1]++; if ($1 > last) last = $1 }
END { for (day = 1; day <= last; day++) if (count[day]) printf "%d %.3f\n", day, sum[day] / count[day] }
