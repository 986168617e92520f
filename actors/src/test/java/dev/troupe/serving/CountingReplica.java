package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.SequenceStart;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * A replica without arithmetic: its next token depends on every earlier token as read back through the KV blocks, so a
 * wrong block table, position, chunk or choice shows in the tokens. It checks what the planner promises of a batch.
 */
public final class CountingReplica {
    /** Token ids. */
    public static final int VOCABULARY = 101;

    /** What ranks remember of a sequence. */
    private static final class Memory {
        final SequenceStart start;
        final List<Integer> history;
        Ints blocks = Ints.of();
        int computed;
        boolean deferred;

        Memory(SequenceStart start) {
            this.start = start;
            this.history = new ArrayList<>(start.tokens().stream().boxed().toList());
        }
    }

    private final int blockSize;
    private final long[][] blocks;
    private final Map<Long, Memory> sequences = new HashMap<>();
    private final ArrayDeque<StepBatch> waiting = new ArrayDeque<>();
    /** Blocks that a step in flight touches, by step and sequence. */
    private final Map<Long, Map<Long, Set<Integer>>> touched = new HashMap<>();

    /** Blocks that a step in flight writes, by step. */
    private final Map<Long, Set<Integer>> written = new HashMap<>();

    private long tokens;

    /** Blocks of every sequence as of the last step that has arrived. */
    private final Map<Long, List<Integer>> planned = new HashMap<>();

    private final Set<Long> failing = new HashSet<>();
    private BooleanSupplier defers = () -> false;
    private long deferrals;
    private long lastStep;

    CountingReplica(int blocks, int blockSize) {
        this.blockSize = blockSize;
        this.blocks = new long[blocks][blockSize];
    }

    /** The token that the model draws after {@code tokens}. */
    static int next(List<Integer> tokens, SamplingParameters sampling, int choice) {
        long state = 7;
        for (int position = 0; position < tokens.size(); position++) {
            state = fold(state, key(position, tokens.get(position)));
        }
        return draw(state, sampling, choice);
    }

    /** The completion of a request by a model that nothing disturbs. */
    public static List<Integer> completion(Submission submission, int choice) {
        List<Integer> tokens =
                new ArrayList<>(submission.prompt().stream().boxed().toList());
        List<Integer> completion = new ArrayList<>();
        while (submission.finish().maxTokens() > 0) {
            int token = next(tokens, submission.sampling(), choice);
            tokens.add(token);
            completion.add(token);
            if (submission.finish().after(completion.size(), token) != null) {
                break;
            }
        }
        return completion;
    }

    private static long key(int position, int token) {
        return (position + 1) * 1_000_003L + token;
    }

    private static long fold(long state, long key) {
        return (state ^ key) * 0x9E3779B97F4A7C15L + (state >>> 29);
    }

    private static int draw(long state, SamplingParameters sampling, int choice) {
        return (int) Long.remainderUnsigned(state + 31 * sampling.seed() + 17L * choice, VOCABULARY);
    }

    /** From now on the sequence meets a value that is not finite. */
    void poison(long sequence) {
        failing.add(sequence);
    }

    /** From now on a token is not drawn where {@code chance} says so: its guide is not there. */
    void defer(BooleanSupplier chance) {
        defers = chance;
    }

    /** Tokens not drawn. */
    long deferrals() {
        return deferrals;
    }

    int stepsInFlight() {
        return waiting.size();
    }

    /** Tokens computed in all. */
    long tokens() {
        return tokens;
    }

    /** How many sequences the ranks remember. */
    int remembered() {
        return sequences.size();
    }

    /** A step arrives; it is computed by {@link #next()}. */
    void execute(StepBatch batch) {
        assertThat(batch.step()).isEqualTo(++lastStep);
        assertThat(batch.entries()).isNotEmpty();
        waiting.add(batch);
        batch.released().forEach(planned::remove);
        batch.entries().forEach(this::assertBlocks);
        Map<Long, Set<Integer>> ofStep = new HashMap<>();
        Set<Integer> writes = new HashSet<>();
        for (StepEntry entry : batch.entries()) {
            List<Integer> table = planned.computeIfAbsent(entry.sequence(), id -> new ArrayList<>());
            entry.newBlocks().stream().forEach(table::add);
            ofStep.put(entry.sequence(), Set.copyOf(table));
            int end = entry.firstPosition() + entry.tokens().size();
            for (int i = entry.firstPosition() / blockSize; i * blockSize < end; i++) {
                assertThat(writes.add(table.get(i)))
                        .as("written by one sequence")
                        .isTrue();
            }
        }
        touched.put(batch.step(), ofStep);
        written.put(batch.step(), writes);
    }

    /** Whole blocks before the first position to compute were written for others, and are there. */
    private void assertBlocks(StepEntry entry) {
        int found = entry.start() == null ? 0 : entry.firstPosition() / blockSize;
        assertThat(entry.start() == null ? 0 : entry.firstPosition() % blockSize)
                .isZero();
        for (int i = 0; i < found; i++) {
            int block = entry.newBlocks().get(i);
            assertThat(written.values())
                    .as("block %d is found, and no step in flight writes it", block)
                    .noneMatch(ofStep -> ofStep.contains(block));
        }
        assertNobodyTouches(
                entry.sequence(),
                entry.newBlocks().slice(found, entry.newBlocks().size()));
    }

    private void assertNobodyTouches(long sequence, Ints newBlocks) {
        touched.values()
                .forEach(ofStep -> ofStep.forEach((other, theirs) -> {
                    assertThat(newBlocks.stream()
                                    .filter(theirs::contains)
                                    .boxed()
                                    .toList())
                            .as(
                                    "new blocks of sequence %d that a step in flight of sequence %d touches",
                                    sequence, other)
                            .isEmpty();
                }));
    }

    /** Computes the oldest step. */
    StepResult next() {
        StepBatch batch = waiting.remove();
        touched.remove(batch.step());
        written.remove(batch.step());
        tokens += batch.tokens();
        batch.released()
                .forEach(id -> assertThat(sequences.remove(id))
                        .as("sequence %d was released", id)
                        .isNotNull());
        List<StepResult.Answer> answers = new ArrayList<>();
        List<StepResult.Failure> failures = new ArrayList<>();
        for (StepEntry entry : batch.entries()) {
            compute(entry, answers, failures);
        }
        return new StepResult(batch.epoch(), batch.step(), answers, failures, List.of());
    }

    private void compute(StepEntry entry, List<StepResult.Answer> answers, List<StepResult.Failure> failures) {
        Memory memory = remember(entry);
        memory.blocks = memory.blocks.append(entry.newBlocks());
        if (memory.deferred) {
            memory.deferred = false;
            memory.computed--; // the last token again, and nothing else
            assertThat(entry.tokens().size()).isEqualTo(1);
            assertThat(entry.wants()).containsExactly(new Want(0, Want.Kind.TOKEN));
        }
        for (int offset = 0; offset < entry.tokens().size(); offset++) {
            int position = entry.firstPosition() + offset;
            int token = entry.tokens().get(offset);
            if (position == memory.history.size()) {
                memory.history.add(token);
            }
            assertThat(memory.history.get(position)).isEqualTo(token);
            assertThat(memory.computed++).isEqualTo(position);
            int block = memory.blocks.get(position / blockSize);
            assertNobodyElseHas(entry.sequence(), block);
            blocks[block][position % blockSize] = key(position, token);
        }
        if (failing.contains(entry.sequence())) {
            failures.add(new StepResult.Failure(entry.sequence(), "a logit is not finite"));
            return;
        }
        entry.wants().forEach(want -> answers.add(answer(entry, want, memory)));
    }

    private void assertNobodyElseHas(long sequence, int block) {
        sequences.forEach((other, memory) -> assertThat(
                        other == sequence || memory.blocks.stream().noneMatch(theirs -> theirs == block))
                .as("sequence %d writes block %d, which sequence %d has", sequence, block, other)
                .isTrue());
    }

    private Memory remember(StepEntry entry) {
        SequenceStart start = entry.start();
        if (start != null) {
            assertThat(sequences).doesNotContainKey(entry.sequence());
            Memory memory = new Memory(start);
            memory.computed = entry.firstPosition();
            sequences.put(entry.sequence(), memory);
        }
        Memory memory = sequences.get(entry.sequence());
        if (memory == null) {
            throw new AssertionError("sequence %d is not known to the ranks".formatted(entry.sequence()));
        }
        return memory;
    }

    private StepResult.Answer answer(StepEntry entry, Want want, Memory memory) {
        int position = entry.firstPosition() + want.offset();
        long state = 7;
        for (int p = 0; p <= position; p++) {
            state = fold(state, blocks[memory.blocks.get(p / blockSize)][p % blockSize]);
        }
        int token = draw(state, memory.start.sampling(), memory.start.choice());
        return switch (want.kind()) {
            case TOKEN -> {
                memory.deferred = defers.getAsBoolean();
                deferrals += memory.deferred ? 1 : 0;
                yield memory.deferred
                        ? new StepResult.Deferred(entry.sequence(), position)
                        : new StepResult.Token(entry.sequence(), position, token, token, Float.NaN, List.of());
            }
            case ROW -> new StepResult.Row(entry.sequence(), position, floats(position, token));
            case HIDDEN -> new StepResult.Hidden(entry.sequence(), position, floats(position, -token));
            case MEAN -> new StepResult.Mean(entry.sequence(), position, floats(position, token / 2f));
            case SCORE -> new StepResult.Score(entry.sequence(), position, token, -token, List.of());
        };
    }

    private static Floats floats(float... values) {
        return new Floats(1, values.length, values);
    }
}
