package dev.troupe.load;

import java.util.Locale;

/**
 * The latencies of a run as an SVG picture: milliseconds on a logarithmic axis over percentiles, which are spread so that p90, p99 and
 * p99.9 are as far from each other. It follows the reader's choice of a light or a dark page.
 */
public final class LatencyChart {
    private static final int WIDTH = 760;
    private static final int HEIGHT = 420;
    private static final int LEFT = 80;
    private static final int RIGHT = 24;
    private static final int TOP = 74;
    private static final int BOTTOM = 52;
    private static final int POINTS = 200;
    private static final double SHORTEST = 0.1;
    private static final double[] MARKS = {0, 50, 90, 99, 99.9, 99.99};

    private static final String STYLE = """
            <style>
              .page { fill: #ffffff } .ink { fill: #24292f } .rule { stroke: #d0d7de }
              text { font: 13px system-ui, sans-serif } .title { font-size: 15px; font-weight: 600 }
              path { fill: none; stroke-width: 2.2 }
              .first { stroke: #0969da } .between { stroke: #1a7f37; stroke-dasharray: 7 4 } .end { stroke: #bc4c00; stroke-dasharray: 2 3 }
              @media (prefers-color-scheme: dark) {
                .page { fill: #0d1117 } .ink { fill: #e6edf3 } .rule { stroke: #3d444d }
                .first { stroke: #58a6ff } .between { stroke: #56d364 } .end { stroke: #ffa657 }
              }
            </style>
            """;

    private final LoadReport report;
    private final double widest;
    private final int lowest;
    private final int highest;

    private LatencyChart(LoadReport report) {
        this.report = report;
        LoadReport.Times times = report.times();
        long most = Math.max(times.endToEnd().count(), times.betweenTokens().count());
        widest = Math.clamp(Math.log10((double) Math.max(1, most)), 1, 4);
        double least = Double.MAX_VALUE;
        double longest = SHORTEST;
        for (Latencies each : new Latencies[] {times.firstToken(), times.betweenTokens(), times.endToEnd()}) {
            if (each.count() > 0) {
                least = Math.min(least, millis(each, 0));
                longest = Math.max(longest, millis(each, 100));
            }
        }
        lowest = (int) Math.floor(Math.log10(Math.min(least, longest)));
        highest = Math.max(lowest + 1, (int) Math.ceil(Math.log10(longest)));
    }

    /** The picture. */
    public static String svg(LoadReport report) {
        return new LatencyChart(report).draw();
    }

    /** What is shorter is tokens that came together, and is drawn as so many milliseconds. */
    private static double millis(Latencies latencies, double percent) {
        return Math.max(SHORTEST, 1e3 * latencies.percentile(percent));
    }

    private String draw() {
        StringBuilder svg = new StringBuilder(line(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Latency by percentile</title>\n",
                WIDTH, HEIGHT));
        svg.append(STYLE).append(line("<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT));
        svg.append(line(
                "<text class=\"ink title\" x=\"%d\" y=\"26\">%s: %d completed, %d failed, %.1f tokens/s</text>\n",
                LEFT,
                escape(report.plan().model()),
                report.completed(),
                report.failed(),
                report.seconds() > 0 ? report.completionTokens() / report.seconds() : 0));
        axes(svg);
        curve(svg, "first", "time to first token", 0, report.times().firstToken());
        curve(svg, "between", "time between tokens", 1, report.times().betweenTokens());
        curve(svg, "end", "end to end", 2, report.times().endToEnd());
        return svg.append("</svg>\n").toString();
    }

    private void axes(StringBuilder svg) {
        for (int power = lowest; power <= highest; power++) {
            double y = y(Math.pow(10, power));
            svg.append(line(
                    "<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT, WIDTH - RIGHT, y, y));
            svg.append(line(
                    "<text class=\"ink\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s ms</text>\n",
                    LEFT - 8,
                    y + 4,
                    power < 0 ? line("%." + -power + "f", Math.pow(10, power)) : line("%.0f", Math.pow(10, power))));
        }
        for (double mark : MARKS) {
            if (spread(mark) <= widest + 1e-9) {
                double x = x(spread(mark));
                svg.append(line(
                        "<line class=\"rule\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n",
                        x, x, TOP, HEIGHT - BOTTOM));
                svg.append(line(
                        "<text class=\"ink\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                        x,
                        HEIGHT - BOTTOM + 20,
                        mark == 0 ? "min" : "p" + (mark == (int) mark ? "" + (int) mark : mark)));
            }
        }
        svg.append(line(
                "<text class=\"ink\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">percentile</text>\n",
                (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10));
    }

    private void curve(StringBuilder svg, String style, String name, int place, Latencies latencies) {
        if (latencies.count() == 0) {
            return;
        }
        double end = Math.min(widest, Math.max(0.3, Math.log10((double) latencies.count())));
        StringBuilder path = new StringBuilder();
        for (int i = 0; i <= POINTS; i++) {
            double spread = end * i / POINTS;
            double percent = 100 * (1 - Math.pow(10, -spread));
            path.append(line("%s%.1f %.1f ", i == 0 ? "M" : "L", x(spread), y(millis(latencies, percent))));
        }
        int x = LEFT + 220 * place;
        svg.append(
                line("<path class=\"%s\" d=\"%s\"/>\n", style, path.toString().strip()));
        svg.append(line("<path class=\"%s\" d=\"M%d 50 L%d 50\"/>\n", style, x, x + 30));
        svg.append(line("<text class=\"ink\" x=\"%d\" y=\"54\">%s</text>\n", x + 38, name));
    }

    /** 0, 1, 2, 3 for p0, p90, p99, p99.9. */
    private static double spread(double percent) {
        return -Math.log10(1 - percent / 100);
    }

    private double x(double spread) {
        return LEFT + (WIDTH - RIGHT - LEFT) * spread / widest;
    }

    private double y(double millis) {
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (Math.log10(millis) - lowest) / (highest - lowest);
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    @SuppressWarnings("AnnotateFormatMethod") // private, and every format is printed by a test
    private static String line(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
