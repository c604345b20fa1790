# A bar from the coldest to the warmest mean for each line of the summary, as SVG.
BEGIN { FS = ","; row = 22; left = 110; scale = 8 }
NR > 1 {
    n++
    label[n] = $1 ", " $2 " d"
    low[n] = $3
    high[n] = $4
    if (n == 1 || $3 < least) least = $3
}
END {
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"560\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", n * row + 10
    for (i = 1; i <= n; i++) {
        x = left + (low[i] - least) * scale
        width = (high[i] - low[i]) * scale
        y = (i - 1) * row + 5
        printf "<text x=\"4\" y=\"%d\">%s</text>", y + 13, label[i]
        printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"#4a7\"/>", x, y, width
        printf "<text x=\"%.1f\" y=\"%d\">%.1f to %.1f</text>\n", x + width + 6, y + 13, low[i], high[i]
    }
    print "</svg>"
}
