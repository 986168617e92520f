package dev.troupe.cli;

import dev.troupe.client.Completion;
import dev.troupe.tensor.Floats;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether two runs of one request gave the same tokens and the same bits of logits.
 *
 * @param tokens completion tokens that were compared
 * @param rows rows of logits that were compared
 * @param columns logits in a row
 * @param difference the first difference, or null
 */
record Comparison(
        int tokens, int rows, int columns, @Nullable String difference) {

    /** Compares the first choices of two runs. */
    static Comparison of(Completion one, Completion other) {
        Completion.Choice a = one.choices().getFirst();
        Completion.Choice b = other.choices().getFirst();
        int tokens = Math.min(a.tokens().size(), b.tokens().size());
        int rows = Math.min(a.logits().size(), b.logits().size());
        int columns = rows == 0 ? 0 : a.logits().getFirst().columns();
        return new Comparison(tokens, rows, columns, difference(one, other, a, b));
    }

    private static @Nullable String difference(
            Completion one, Completion other, Completion.Choice a, Completion.Choice b) {
        if (!one.prompt().equals(other.prompt())) {
            return "the prompts have different tokens: %s and %s".formatted(one.prompt(), other.prompt());
        }
        for (int i = 0; i < Math.min(a.tokens().size(), b.tokens().size()); i++) {
            if (a.tokens().get(i) != b.tokens().get(i)) {
                return "completion token %d is %d in one and %d in the other"
                        .formatted(i, a.tokens().get(i), b.tokens().get(i));
            }
        }
        if (a.tokens().size() != b.tokens().size()) {
            return "one has %d completion tokens, the other %d"
                    .formatted(a.tokens().size(), b.tokens().size());
        }
        if (!a.text().equals(b.text())) {
            return "equal tokens gave different texts";
        }
        return rowDifference(a.logits(), b.logits());
    }

    private static @Nullable String rowDifference(List<Floats> a, List<Floats> b) {
        if (a.size() != b.size()) {
            return "one has %d rows of logits, the other %d".formatted(a.size(), b.size());
        }
        for (int row = 0; row < a.size(); row++) {
            if (!a.get(row).equals(b.get(row))) {
                return "the logits of row %d differ".formatted(row);
            }
        }
        return null;
    }

    /** Whether no bit differs, and there was something to compare. */
    boolean identical() {
        return difference == null && tokens > 0 && rows > 0;
    }

    /** What was compared, in a sentence. */
    String details() {
        return "Compared %d tokens and %d rows of %d logits, bit for bit.".formatted(tokens, rows, columns);
    }

    /** The outcome, in a few words. */
    String verdict() {
        if (identical()) {
            return "identical, token for token and logit bit for logit bit";
        }
        return difference == null ? "nothing was compared" : "different: " + difference;
    }
}
