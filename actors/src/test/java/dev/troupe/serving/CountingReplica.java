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

    /** Blocks of every sequence as of the last step that has arrived. */
    private final Map<Long, Set<Integer>> planned = new HashMap<>();

    private final Set<Long> failing = new HashSet<>();
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

    int stepsInFlight() {
        return waiting.size();
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
        batch.entries().forEach(entry -> assertNobodyTouches(entry.sequence(), entry.newBlocks()));
        batch.released().forEach(planned::remove);
        Map<Long, Set<Integer>> ofStep = new HashMap<>();
        for (StepEntry entry : batch.entries()) {
            Set<Integer> table = planned.computeIfAbsent(entry.sequence(), id -> new HashSet<>());
            entry.newBlocks().stream().forEach(table::add);
            ofStep.put(entry.sequence(), Set.copyOf(table));
        }
        touched.put(batch.step(), ofStep);
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
        for (int offset = 0; offset < entry.tokens().size(); offset++) {
            int position = entry.firstPosition() + offset;
            int token = entry.tokens().get(offset);
            if (position == memory.history.size()) {
                memory.history.add(token);
            }
            assertThat(memory.history.get(position)).isEqualTo(token);
            assertThat(memory.computed++).isEqualTo(position);
            blocks[memory.blocks.get(position / blockSize)][position % blockSize] = key(position, token);
        }
        if (failing.contains(entry.sequence())) {
            failures.add(new StepResult.Failure(entry.sequence(), "a logit is not finite"));
            return;
        }
        entry.wants().forEach(want -> answers.add(answer(entry, want, memory)));
    }

    private Memory remember(StepEntry entry) {
        SequenceStart start = entry.start();
        if (start != null) {
            assertThat(sequences).doesNotContainKey(entry.sequence());
            sequences.put(entry.sequence(), new Memory(start));
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
            case TOKEN -> new StepResult.Token(entry.sequence(), position, token, token, Float.NaN, List.of());
            case ROW -> new StepResult.Row(entry.sequence(), position, floats(position, token));
            case HIDDEN -> new StepResult.Hidden(entry.sequence(), position, floats(position, -token));
        };
    }

    private static Floats floats(float... values) {
        return new Floats(1, values.length, values);
    }
}
