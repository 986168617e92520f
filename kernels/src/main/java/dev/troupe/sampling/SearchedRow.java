package dev.troupe.sampling;

import dev.troupe.kernel.FoundCandidates;
import dev.troupe.model.Partition;
import dev.troupe.tensor.Floats;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A row that was searched where it was computed, which is not the host. Answers as {@link RankRow} does; only where more candidates are
 * wanted than were found does the row come to the host.
 */
public final class SearchedRow implements CandidateRow {
    private final RowDraw row;
    private final FoundCandidates found;
    private final Supplier<Floats> logits;
    private @Nullable RankRow onHost;

    /**
     * @param row whose query was answered
     * @param logits the row, {@code [1, own vocabulary rows]}, when it is asked for
     */
    public SearchedRow(RowDraw row, FoundCandidates found, Supplier<Floats> logits) {
        this.row = row;
        this.found = found;
        this.logits = logits;
    }

    @Override
    public TokenDraw draw() {
        return row.draw();
    }

    @Override
    public RankCandidates candidates(int limit) {
        if (!found.finite()) {
            return RankCandidates.notFinite();
        }
        TokenDraw draw = row.draw();
        int most = draw.mostCandidates(limit);
        int there = found.candidates().ids().size();
        boolean several = !draw.parameters().isGreedy() && draw.parameters().hasFilters();
        if (several && most > there && found.reachable() > there) {
            return onHost().candidates(limit);
        }
        FoundCandidates.Candidates first = found.candidates().first(most);
        return new RankCandidates(
                first.ids(),
                first.scores(),
                first.logits(),
                !several
                        || found.reachable() <= most
                        || most == draw.parameters().topK(),
                found.spans() == null ? null : new SpanSums(row.firstId() / Partition.VOCABULARY_SPAN, found.spans()),
                TopLogits.of(found, row.firstId()),
                true);
    }

    private RankRow onHost() {
        if (onHost == null) {
            onHost = new RankRow(logits.get(), 0, row);
        }
        return onHost;
    }
}
