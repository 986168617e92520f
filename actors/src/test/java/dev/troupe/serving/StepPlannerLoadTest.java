package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixHasher;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random requests, cancellations and limits against the counting model; every run is reproducible by its seed. */
class StepPlannerLoadTest {
    private static final int BLOCK_SIZE = 4;

    private static long hits;
    private static long evictions;
    private static long deferrals;

    private final Map<Long, List<Integer>> drawn = new HashMap<>();

    static LongStream seeds() {
        return LongStream.rangeClosed(1, 120);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void endsEverySequenceWithTheRightTokensAndReturnsAllBlocks(long seed) {
        Random random = new Random(seed);
        int blocks = 8 + random.nextInt(40);
        CountingReplica replica = new CountingReplica(blocks, BLOCK_SIZE);
        PrefixHasher hasher = seed % 3 == 0 ? null : new PrefixHasher(List.of("counting"), BLOCK_SIZE);
        replica.defer(() -> seed % 2 == 0 && random.nextInt(5) == 0);
        StepPlanner planner = new StepPlanner(
                new Epoch(1, seed), limits(random), new BlockTables(new KvBlockPool(blocks, BLOCK_SIZE), hasher));
        List<Sequence> finished = new ArrayList<>();
        List<Sequence> live = new ArrayList<>();
        int arrivals = 40;

        for (int i = 0; arrivals > 0 || !planner.sequences().isEmpty(); i++) {
            assertThat(i).as("rounds").isLessThan(100_000);
            if (arrivals > 0 && random.nextInt(4) == 0) {
                Sequence sequence = sequence(arrivals--, blocks, random);
                live.add(sequence);
                planner.add(sequence);
            }
            if (!live.isEmpty() && random.nextInt(60) == 0) {
                planner.remove(live.remove(random.nextInt(live.size())));
            }
            if (random.nextBoolean()) {
                planner.plan().ifPresent(replica::execute);
            } else if (replica.stepsInFlight() > 0) {
                note(planner.retire(replica.next()));
            }
            planner.checkIntegrity();
            live.stream()
                    .filter(sequence -> !planner.sequences().contains(sequence))
                    .forEach(finished::add);
            live.removeAll(finished);
        }
        while (replica.stepsInFlight() > 0) {
            planner.retire(replica.next());
        }

        assertThat(finished)
                .isNotEmpty()
                .allSatisfy(sequence -> assertThat(drawn.get(sequence.id()))
                        .isEqualTo(CountingReplica.completion(sequence.submission(), sequence.choice())));
        assertThat(planner.pool().free()).isEqualTo(blocks);
        planner.checkIntegrity();
        hits += planner.prefixes().hitTokens();
        evictions += planner.prefixes().evictions();
        deferrals += replica.deferrals();
    }

    @AfterAll
    static void hasReusedAndEvictedBlocksAndDeferredTokens() {
        assertThat(hits).isPositive();
        assertThat(evictions).isPositive();
        assertThat(deferrals).isPositive();
    }

    private void note(List<StepPlanner.Retired> retired) {
        for (StepPlanner.Progress part :
                retired.stream().flatMap(step -> step.progress().stream()).toList()) {
            assertThat(part.failure()).isNull();
            for (StepResult.Answer answer : part.answers()) {
                StepResult.Token token = (StepResult.Token) answer;
                drawn.computeIfAbsent(token.sequence(), id -> new ArrayList<>()).add(token.token());
            }
        }
    }

    private static StepLimits limits(Random random) {
        int tokens = 1 + random.nextInt(40);
        return new StepLimits(
                tokens,
                1 + random.nextInt(tokens),
                1 + random.nextInt(12),
                1 + random.nextInt(12),
                1 + random.nextInt(4),
                4);
    }

    private static Sequence sequence(long id, int blocks, Random random) {
        int longest = blocks * BLOCK_SIZE;
        int prompt = 1 + random.nextInt(longest / 2);
        int maxTokens = 1 + random.nextInt(longest - prompt + 1);
        int[] tokens = random.ints(prompt, 0, CountingReplica.VOCABULARY).toArray();
        // Many prompts begin alike, and some are salted.
        int common = random.nextInt(prompt + 1);
        for (int i = 0; i < common; i++) {
            tokens[i] = i;
        }
        Submission.Choice choice = new Submission.Choice(random.nextInt(3), Ints.of());
        Submission submission = new Submission(
                new GenerationId("g" + id, "test"),
                "trace",
                Ints.of(tokens),
                List.of(choice),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of(random.nextInt(400))),
                Returns.TOKENS_ONLY,
                0,
                random.nextInt(4) == 0 ? "salt" : "",
                Precedence.NONE);
        return new Sequence(id, submission, choice);
    }
}
