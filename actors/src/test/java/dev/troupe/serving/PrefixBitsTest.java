package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.kvcache.PrefixHasher;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.DecoderOracle;
import dev.troupe.stage.SimulatedReplica;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import dev.troupe.weights.WeightFormatException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A real decoder behind a planner that reuses blocks: the same tokens and the same bits of all logits as without. */
class PrefixBitsTest {
    private static final int BLOCK = 16;
    private static final int BLOCKS = 20;
    private static final int MAX_TOKENS = 5;

    @Nullable
    private static DecoderOracle loaded;

    @BeforeAll
    static void load() throws WeightFormatException {
        loaded = new DecoderOracle("tiny:f32");
    }

    @AfterAll
    static void close() {
        oracle().close();
    }

    private static DecoderOracle oracle() {
        if (loaded == null) {
            throw new IllegalStateException("not loaded");
        }
        return loaded;
    }

    private record Request(Ints prompt, String salt) {}

    /** What requests got, in their order, and what it took. */
    private record Run(List<List<StepResult.Answer>> answers, List<Integer> cached, PrefixCounts counts, int tokens) {}

    private static Ints random(long seed, int size) {
        return Ints.of(new Random(seed)
                .ints(size, 20, oracle().checkpoint().config().vocabularySize())
                .toArray());
    }

    /** Some begin alike; the long ones in the middle need the blocks of all others. */
    private static List<Request> requests() {
        Ints base = random(1, 70);
        return List.of(
                new Request(base.slice(0, 60), ""),
                new Request(base.slice(0, 40).append(random(2, 15)), ""),
                new Request(base.slice(0, 64), ""),
                new Request(base.slice(0, 60), "other"),
                new Request(base, ""),
                new Request(random(3, 100), ""),
                new Request(random(4, 100), ""),
                new Request(random(5, 100), ""),
                new Request(random(6, 100), ""),
                new Request(base.slice(0, 60), ""),
                new Request(base.slice(0, 60), ""));
    }

    private static Run run(Partition partition, boolean reuses, int together, Random order) {
        SimulatedReplica replica =
                new SimulatedReplica(order, partition, BLOCKS, BLOCK, PrefixBitsTest.load(partition));
        replica.join();
        StepPlanner planner = new StepPlanner(
                SimulatedReplica.EPOCH,
                new StepLimits(48, 24, 8, 8, 2, 8),
                new BlockTables(
                        new KvBlockPool(BLOCKS, BLOCK), reuses ? new PrefixHasher(List.of("tiny"), BLOCK) : null));
        Map<Long, List<StepResult.Answer>> answers = new HashMap<>();
        List<Sequence> sequences = new ArrayList<>();
        List<Request> requests = requests();
        int tokens = 0;
        while (sequences.size() < requests.size() || !planner.sequences().isEmpty()) {
            if (sequences.size() < requests.size() && planner.sequences().size() < together) {
                Sequence sequence = sequence(sequences.size(), requests.get(sequences.size()));
                sequences.add(sequence);
                planner.add(sequence);
            }
            planner.plan().ifPresent(replica::execute);
            replica.tick();
            while (!replica.results().isEmpty()) {
                for (StepPlanner.Retired step : planner.retire(replica.results().removeFirst())) {
                    tokens += step.batch().tokens();
                    step.result()
                            .answers()
                            .forEach(answer -> answers.computeIfAbsent(answer.sequence(), id -> new ArrayList<>())
                                    .add(answer));
                }
                planner.checkIntegrity();
            }
        }
        assertThat(replica.refused()).isEmpty();
        return new Run(
                sequences.stream()
                        .map(s -> answers.getOrDefault(s.id(), List.of()))
                        .toList(),
                sequences.stream().map(Sequence::cachedTokens).toList(),
                planner.prefixes(),
                tokens);
    }

    private static BiFunction<Integer, Integer, ShardCompute> load(Partition partition) {
        return (stage, rank) -> {
            try {
                return oracle().load(partition, stage, rank, BLOCKS, BLOCK);
            } catch (WeightFormatException e) {
                throw new IllegalStateException(e);
            }
        };
    }

    private static Sequence sequence(long id, Request request) {
        Submission.Choice choice = new Submission.Choice(0, Ints.of());
        Submission submission = new Submission(
                new GenerationId("g" + id, "test"),
                "trace",
                request.prompt(),
                List.of(choice),
                new SamplingParameters(1, 0, 1, 0, 1.1f, 0, 0, Map.of(), 7, 3),
                new FinishRule(MAX_TOKENS, Ints.of()),
                new Returns(Set.of(), Set.of(Want.Kind.ROW)),
                0,
                request.salt(),
                Precedence.NONE);
        return new Sequence(id, submission, choice);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "1, 1, 3", "2, 2, 1", "2, 2, 3", "1, 2, 2", "2, 1, 2"})
    void givesTheSameTokensAndLogitsAsWithoutReuse(int stages, int ranks, int together) {
        Partition partition = Partition.even(oracle().checkpoint().config(), stages, ranks);

        Run without = run(partition, false, together, new Random(1));
        Run with = run(partition, true, together, new Random(2));

        List<Request> requests = requests();
        for (int i = 0; i < requests.size(); i++) {
            assertSame(without.answers().get(i), with.answers().get(i), requests.get(i));
        }
        assertThat(without.cached()).containsOnly(0);
        assertThat(with.tokens())
                .isEqualTo(without.tokens() - (int) with.counts().hitTokens());
        if (together == 1) {
            // The salted one, and what comes back when all its blocks have been given to others, begin at the
            // beginning.
            assertThat(with.cached()).containsExactly(0, 32, 48, 0, 64, 0, 0, 0, 0, 0, 48);
        }
        assertThat(with.counts().hitTokens()).isPositive();
        assertThat(with.counts().evictions()).isPositive();
    }

    private static void assertSame(List<StepResult.Answer> expected, List<StepResult.Answer> got, Request request) {
        assertThat(got).hasSize(2 * MAX_TOKENS).hasSameSizeAs(expected);
        Ints tokens = request.prompt();
        for (int i = 0; i < got.size(); i++) {
            assertThat(got.get(i).position()).isEqualTo(tokens.size() - 1);
            if (got.get(i) instanceof StepResult.Row row) {
                assertThat(row.values()).isEqualTo(((StepResult.Row) expected.get(i)).values());
                assertThat(row.values()).isEqualTo(oracle().logits(tokens));
            } else if (got.get(i) instanceof StepResult.Token token) {
                StepResult.Token other = (StepResult.Token) expected.get(i);
                assertThat(token.token()).isEqualTo(other.token());
                assertThat(Float.floatToRawIntBits(token.logit())).isEqualTo(Float.floatToRawIntBits(other.logit()));
                assertThat(Float.floatToRawIntBits(token.logprob()))
                        .isEqualTo(Float.floatToRawIntBits(other.logprob()));
                assertThat(token.top()).isEqualTo(other.top());
                tokens = tokens.append(Ints.of(token.token()));
            }
        }
    }
}
