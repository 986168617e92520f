package dev.troupe.stage;

import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.TokenScore;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** What a rank knows of a sequence: a fold over its start and the entries since. Owned by the shard's thread. */
final class KnownSequence {
    private final long id;
    private final SequenceStart start;
    private final Guides guides;
    private int[] tokens;
    private int length;
    private int[] blocks = new int[4];
    private int blockCount;
    private @Nullable SamplerState sampler;
    private @Nullable PendingGuide guide;
    private final @Nullable HiddenMean mean;

    KnownSequence(long id, SequenceStart start, Guides guides) {
        this.id = id;
        this.start = start;
        this.guides = guides;
        this.tokens = start.tokens().toArray();
        this.length = tokens.length;
        this.mean = start.means() ? new HiddenMean(start.promptLength()) : null;
    }

    /** The sum of its hidden states so far, if a mean of them will be wanted. */
    @Nullable
    HiddenMean mean() {
        return mean;
    }

    /** How probable the token after the one at {@code position} was: its next prompt token, or none. */
    TokenScore scoreAfter(int position) {
        int next = position + 1 < start.promptLength() ? tokens[position + 1] : -1;
        return new TokenScore(next, Math.max(0, start.sampling().topLogprobs()));
    }

    /** Whether {@link #samplerAfter} may be called: its guide, if it has one, is compiled. Sees to it that it will be. */
    boolean canSample() {
        GuideSpec spec = start.sampling().guide();
        if (spec == null) {
            return true;
        }
        if (guide == null) {
            guide = guides.of(spec);
        }
        return guide != null && guide.isReady();
    }

    /** Index among the choices of a generation. */
    int choice() {
        return start.choice();
    }

    /**
     * The sampler's state after the token at {@code position}, for the one at {@code position + 1}; valid until the next
     * call.
     *
     * @throws dev.troupe.sampling.guide.automaton.GuideException if its guide cannot be followed here, or does not allow a
     *     token that it has
     * @throws IllegalStateException if it cannot be sampled yet
     */
    SamplerState samplerAfter(int position) {
        if (sampler == null || sampler.length() > position + 1) {
            sampler = new SamplerState(start.sampling(), start.promptLength(), guide());
        }
        while (sampler.length() <= position) {
            sampler.append(tokens[sampler.length()]);
        }
        return sampler;
    }

    private @Nullable TokenGuide guide() {
        if (start.sampling().guide() == null) {
            return null;
        }
        if (guide == null) {
            throw new IllegalStateException("sequence=%d: its guide was not asked for".formatted(id));
        }
        return guide.guide();
    }

    /**
     * Folds an entry in. Where its tokens differ from the known ones (drafted tokens that were not accepted), the entry
     * is right and what came after is forgotten.
     *
     * @throws IllegalStateException if there is a gap between the known tokens and the entry, or a position without a
     *     block
     */
    void fold(StepEntry entry, int blockSize) {
        append(entry.newBlocks());
        int first = entry.firstPosition();
        int end = Math.addExact(first, entry.tokens().size());
        if (first > length || end > (long) blockCount * blockSize) {
            throw new IllegalStateException(
                    "sequence=%d, positions [%d, %d): known tokens=%d, blocks=%d of %d tokens; a step may not leave a gap"
                            .formatted(id, first, end, length, blockCount, blockSize));
        }
        for (int i = 0; i < entry.tokens().size(); i++) {
            if (first + i == length || tokens[first + i] != entry.tokens().get(i)) {
                overwrite(first + i, entry.tokens().slice(i, entry.tokens().size()));
                return;
            }
        }
    }

    private void overwrite(int from, Ints more) {
        int end = from + more.size();
        if (end > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(end, tokens.length + tokens.length / 2));
        }
        for (int i = 0; i < more.size(); i++) {
            tokens[from + i] = more.get(i);
        }
        length = end;
        if (sampler != null && sampler.length() > from) {
            sampler = null;
        }
    }

    private void append(Ints newBlocks) {
        if (blockCount + newBlocks.size() > blocks.length) {
            blocks = Arrays.copyOf(blocks, Math.max(blockCount + newBlocks.size(), 2 * blocks.length));
        }
        for (int i = 0; i < newBlocks.size(); i++) {
            blocks[blockCount++] = newBlocks.get(i);
        }
    }

    /** The block table now, as a copy. */
    int[] blockTable() {
        return Arrays.copyOf(blocks, blockCount);
    }
}
