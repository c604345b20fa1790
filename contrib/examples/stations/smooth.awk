# The mean of the last `window` days.
{
    ring[NR % window] = $2
    size = NR < window ? NR : window
    sum = 0
    for (i in ring) sum += ring[i]
    printf "%d %.3f\n", $1, sum / size
}
