package dev.troupe.report;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import java.util.ArrayList;
import java.util.List;

/** A drawing of who hosts which layers, heads and vocabulary rows of one replica. */
public final class PlacementPicture {
    private static final int BAR = 24;

    private final ModelConfig config;
    private final Partition partition;
    private final List<List<String>> places;

    /**
     * A picture of {@code partition}.
     *
     * @param places the name of every rank's place, by stage and rank
     */
    public PlacementPicture(ModelConfig config, Partition partition, List<List<String>> places) {
        this.config = config;
        this.partition = partition;
        this.places = places.stream().map(List::copyOf).toList();
    }

    /** The lines of the drawing. */
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        int width = places.stream()
                .flatMap(List::stream)
                .mapToInt(String::length)
                .max()
                .orElse(0);
        List<Partition.Stage> stages = partition.stages();
        for (int s = 0; s < stages.size(); s++) {
            Partition.Stage stage = stages.get(s);
            boolean last = s + 1 == stages.size();
            lines.add("stage %d  %s layers %s"
                    .formatted(
                            s,
                            bar(stage.fromLayer(), stage.toLayer(), config.layers()),
                            range(stage.fromLayer(), stage.toLayer())));
            for (int r = 0; r < stage.ranks().size(); r++) {
                lines.add(rankLine(s, r, width, last));
            }
        }
        return lines;
    }

    private String rankLine(int s, int r, int width, boolean last) {
        Partition.Rank rank = partition.stages().get(s).ranks().get(r);
        int perGroup = config.headsPerGroup();
        String heads = "heads %s of %d (KV %s of %d)"
                .formatted(
                        range(rank.fromGroup() * perGroup, rank.toGroup() * perGroup),
                        config.heads(),
                        range(rank.fromGroup(), rank.toGroup()),
                        config.kvHeads());
        String rows = last ? ", vocabulary rows " + range(rank.fromRow(), rank.toRow()) : "";
        return "  rank %d %s %s  %s%s"
                .formatted(
                        r,
                        bar(rank.fromGroup(), rank.toGroup(), config.kvHeads()),
                        pad(places.get(s).get(r), width),
                        heads,
                        rows);
    }

    private static String bar(int from, int to, int total) {
        int left = from * BAR / total;
        int right = Math.max(left + 1, to * BAR / total);
        return "·".repeat(left) + "█".repeat(right - left) + "·".repeat(Math.max(0, BAR - right));
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    private static String range(int from, int to) {
        return to - from == 0 ? "none" : to - from == 1 ? String.valueOf(from) : from + "–" + (to - 1);
    }
}
