package dev.troupe.serving;

import dev.troupe.stage.SequenceStart;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One line of tokens that is being computed: the known tokens, how many of them steps have taken, and the KV blocks that
 * hold them. There is no prefill phase and no decode phase: only known tokens not yet computed. While a drawn token is
 * pending there is nothing to plan.
 *
 * <p>Owned by one thread.
 */
final class Sequence {
    private final long id;
    private final Submission submission;
    private final Submission.Choice choice;

    private int[] tokens;
    private int known;
    /** Known tokens that steps in flight and retired ones have taken. */
    private int scheduled;
    /** Known tokens whose keys and values all ranks have written. */
    private int written;
    /** Positions below this have been answered. */
    private int answered;
    /** How often in a row its next token was not drawn because its guide was not there. */
    private int deferrals;

    private Ints blocks = Ints.of();
    private boolean onRanks;
    private int stepsInFlight;
    private long lastStep;

    /** Prompt tokens that did not have to be computed when it began; negative before that. */
    private int cachedTokens = -1;

    /** Known tokens when a step in flight was lost with it, and how often in a row that happened there. */
    private int lostAt;

    private int losses;
    private int stalls;
    private int links;

    /** A link was lost under it, and nobody knows yet whether the node behind it lives. */
    private boolean unexplained;

    Sequence(long id, Submission submission, Submission.Choice choice) {
        this.id = id;
        this.submission = submission;
        this.choice = choice;
        this.tokens = submission.prompt().append(choice.completion()).toArray();
        this.known = tokens.length;
        this.losses = submission.losses();
        this.lostAt = known;
    }

    long id() {
        return id;
    }

    Submission submission() {
        return submission;
    }

    /** Its place among the sequences of its tenant, the lowest first. */
    long rank() {
        return submission.precedence().rank(id);
    }

    /** Index among the choices of its generation. */
    int choice() {
        return choice.index();
    }

    int promptLength() {
        return submission.prompt().size();
    }

    /** Prompt tokens, and completion tokens so far. */
    int known() {
        return known;
    }

    /** All known tokens, and room for more: not to be changed. */
    int[] tokens() {
        return tokens;
    }

    /** Known tokens that steps have taken, or that did not have to be computed. */
    int scheduled() {
        return scheduled;
    }

    /** Known tokens that no step has taken yet. */
    int pending() {
        return known - scheduled;
    }

    /** Known tokens whose keys and values are in its blocks on all ranks. */
    int written() {
        return written;
    }

    /** Prompt tokens that did not have to be computed when it began. */
    int cachedTokens() {
        return Math.max(0, cachedTokens);
    }

    /**
     * Known tokens, from the first on, of which only the keys and values are needed, and nothing that is computed after them.
     * The last known token is never among them.
     */
    int reusable() {
        if (submission.returns().means()) {
            return 0;
        }
        boolean promptIsWanted = !submission.returns().prompt().isEmpty() && answered < promptLength();
        return promptIsWanted ? Math.min(answered, known - 1) : known - 1;
    }

    Ints blocks() {
        return blocks;
    }

    boolean holdsBlocks() {
        return !blocks.isEmpty();
    }

    /** Whether the ranks know it. */
    boolean onRanks() {
        return onRanks;
    }

    int stepsInFlight() {
        return stepsInFlight;
    }

    /** The last step that touches its blocks. */
    long lastStep() {
        return lastStep;
    }

    /** Whether a step could take tokens of it now; one that was put back first waits for its steps in flight. */
    boolean isReady() {
        return pending() > 0 && (onRanks || stepsInFlight == 0);
    }

    /** Whether only one token is to be computed on top of what the ranks hold. */
    boolean isDecoding() {
        return holdsBlocks() && pending() <= 1;
    }

    /** Pending tokens for which it holds blocks already. */
    int room(int blockSize) {
        return blocks.size() * blockSize - scheduled;
    }

    /** KV blocks of all known tokens that it does not hold yet. */
    int missingBlocks(int blockSize) {
        return Math.max(0, Math.ceilDiv(known, blockSize) - blocks.size());
    }

    /** KV blocks that {@code more} pending tokens need on top of those it holds. */
    int blocksToAdd(int more, int blockSize) {
        return Math.max(0, Math.ceilDiv(scheduled + more, blockSize) - blocks.size());
    }

    /** The most of {@code most} tokens from position {@code from} on whose wants weigh at most {@code weight}. */
    int tokensWithin(int from, int most, long weight) {
        long wanted = 0;
        for (int n = 0; n < most; n++) {
            for (Want.Kind kind : kinds(from + n)) {
                wanted += StepLimits.weight(kind);
            }
            if (wanted > weight) {
                return n;
            }
        }
        return most;
    }

    /**
     * Begins, with the blocks of its first tokens if others have left them: these are never written again.
     *
     * @param full blocks of as many of the first {@link #reusable} tokens as are there
     */
    void begin(Ints full, int blockSize) {
        blocks = full;
        scheduled = full.size() * blockSize;
        written = scheduled;
        if (cachedTokens < 0) {
            cachedTokens = Math.min(scheduled, promptLength());
        }
    }

    /** Takes the next {@code count} pending tokens for {@code step}. */
    StepEntry take(long step, int count, Ints newBlocks) {
        int first = scheduled;
        List<Want> wants = new ArrayList<>();
        for (int offset = 0; offset < count; offset++) {
            for (Want.Kind kind : kinds(first + offset)) {
                wants.add(new Want(offset, kind));
            }
        }
        @Nullable SequenceStart start = onRanks ? null : start();
        blocks = blocks.append(newBlocks);
        Ints more = onRanks ? newBlocks : blocks;
        scheduled += count;
        stepsInFlight++;
        lastStep = step;
        onRanks = true;
        return new StepEntry(id, start, first, Ints.of(Arrays.copyOfRange(tokens, first, first + count)), more, wants);
    }

    private SequenceStart start() {
        return new SequenceStart(
                Ints.of(Arrays.copyOf(tokens, known)),
                promptLength(),
                submission.sampling(),
                choice.index(),
                submission.returns().means());
    }

    /** Rows come before the token, so that a choice's end is the last that is heard of it. */
    private List<Want.Kind> kinds(int position) {
        boolean draws = position == known - 1;
        if (position < answered) {
            return draws && deferrals > 0 ? List.of(Want.Kind.TOKEN) : List.of();
        }
        List<Want.Kind> kinds = new ArrayList<>();
        Set<Want.Kind> prompt = position < promptLength() ? submission.returns().prompt() : Set.of();
        Set<Want.Kind> completion = draws ? submission.returns().completion() : Set.of();
        for (Want.Kind kind : Returns.KINDS) {
            if (prompt.contains(kind) || completion.contains(kind)) {
                kinds.add(kind);
            }
        }
        if (draws && submission.finish().maxTokens() > 0) {
            kinds.add(Want.Kind.TOKEN);
        }
        return kinds;
    }

    /** A step that took the tokens up to {@code end} has retired. */
    void retire(int end) {
        stepsInFlight--;
        answered = Math.max(answered, end);
        if (onRanks) {
            written = end;
        }
    }

    /** The token after all known ones was drawn. */
    void append(int token) {
        if (known == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(16, known * 2));
        }
        tokens[known++] = token;
        deferrals = 0;
    }

    /** The token after all known ones could not be drawn yet: the last known one is computed again to ask for it. */
    void defer() {
        deferrals++;
        if (onRanks) {
            scheduled = known - 1;
            written = known - 1;
        }
    }

    /** How often in a row its next token was not drawn because its guide was not there. */
    int deferrals() {
        return deferrals;
    }

    /** Whether it ends here, by its finish rule or because there is nothing to draw. */
    boolean isFinished() {
        if (submission.finish().maxTokens() == 0) {
            return answered == known;
        }
        return known > promptLength() && submission.finish().after(known - promptLength(), tokens[known - 1]) != null;
    }

    /** Gives up its blocks and what the ranks know; all tokens will be computed again. */
    Ints putBack() {
        Ints given = blocks;
        blocks = Ints.of();
        scheduled = 0;
        written = 0;
        onRanks = false;
        return given;
    }

    /**
     * The epoch is lost: all its tokens will be computed again, in another one.
     *
     * @param loss what is known of it
     */
    void lose(Loss loss) {
        if (stepsInFlight > 0) {
            count(loss == Loss.NAMED ? 1 : 0, loss == Loss.STALL ? 1 : 0, loss == Loss.SUPERSEDED ? 1 : 0);
            unexplained = loss == Loss.LINK;
        }
        pause();
    }

    /** It is known now whether the node behind a lost link has died. */
    void explain(boolean died) {
        if (unexplained) {
            unexplained = false;
            count(died ? 1 : 0, 0, died ? 0 : 1);
        }
    }

    private void count(int moreLosses, int moreStalls, int moreLinks) {
        losses = losses() + moreLosses;
        stalls = stalls() + moreStalls;
        links = links() + moreLinks;
        lostAt = known;
    }

    /** The epoch is over and that is no loss: all its tokens will be computed again, in another one. */
    void pause() {
        putBack();
        stepsInFlight = 0;
        lastStep = 0;
    }

    /** How often in a row something was lost while it was being computed, with no token gained in between. */
    int losses() {
        return lostAt == known ? losses : 0;
    }

    /** How often in a row a step of it gave no result for a reason that nobody knows, with no token gained in between. */
    int stalls() {
        return lostAt == known ? stalls : 0;
    }

    /** How often in a row a connection of nodes that live was lost while it was being computed. */
    int links() {
        return lostAt == known ? links : 0;
    }

    /** Whether it may be what costs epochs. */
    boolean isSuspect() {
        return losses() + stalls() + links() > 0;
    }

    @Override
    public String toString() {
        return "Sequence[id=%d, generation=%s, choice=%d, prompt=%d, known=%d, scheduled=%d, blocks=%d, stepsInFlight=%d]"
                .formatted(
                        id,
                        submission.id(),
                        choice.index(),
                        promptLength(),
                        known,
                        scheduled,
                        blocks.size(),
                        stepsInFlight);
    }
}
