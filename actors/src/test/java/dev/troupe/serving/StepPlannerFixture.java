package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixHasher;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** A planner and sequences for it; what they draw is kept. */
abstract class StepPlannerFixture {
    static final Epoch EPOCH = new Epoch(3, 9);
    static final StepLimits ONE_IN_FLIGHT = new StepLimits(32, 16, 8, 8, 1, 8);

    final Map<Long, List<Integer>> drawn = new HashMap<>();
    long ids;

    StepPlanner planner(StepLimits limits, int blocks) {
        return new StepPlanner(EPOCH, limits, new KvBlockPool(blocks, 4));
    }

    /** One that reuses what others have computed. */
    static StepPlanner reusing(StepLimits limits, int blocks) {
        return new StepPlanner(
                EPOCH, limits, new BlockTables(new KvBlockPool(blocks, 4), new PrefixHasher(List.of("counting"), 4)));
    }

    /** A greedy sequence without a salt. */
    Sequence sequence(Ints prompt, int maxTokens) {
        return sequence(prompt, maxTokens, Returns.TOKENS_ONLY, "");
    }

    Sequence sequence(Ints prompt, int maxTokens, Returns returns, String salt) {
        long id = ++ids;
        Submission submission = new Submission(
                new GenerationId("g" + id, "test"),
                "trace",
                prompt,
                List.of(choice()),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of()),
                returns,
                0,
                salt,
                Precedence.NONE);
        return new Sequence(id, submission, choice());
    }

    Sequence sequence(int promptLength, int maxTokens) {
        return sequence(promptLength, maxTokens, Returns.TOKENS_ONLY);
    }

    Sequence sequence(int promptLength, int maxTokens, Returns returns) {
        long id = ++ids;
        return new Sequence(id, submission(id, promptLength, new FinishRule(maxTokens, Ints.of()), returns), choice());
    }

    /** A greedy sequence of a tenant with a priority. */
    Sequence sequence(int promptLength, int maxTokens, String tenant, int priority) {
        Sequence plain = sequence(promptLength, maxTokens);
        Submission old = plain.submission();
        return new Sequence(
                plain.id(),
                new Submission(
                        old.id(),
                        old.traceId(),
                        old.prompt(),
                        old.choices(),
                        old.sampling(),
                        old.finish(),
                        old.returns(),
                        old.losses(),
                        old.cacheSalt(),
                        new Precedence(priority, tenant)),
                choice());
    }

    static Submission.Choice choice() {
        return new Submission.Choice(0, Ints.of());
    }

    static Submission submission(long id, int promptLength, FinishRule finish, Returns returns) {
        Ints prompt = Ints.of(IntStream.range(0, promptLength)
                .map(i -> (int) (i * 7L + id) % CountingReplica.VOCABULARY)
                .toArray());
        return new Submission(
                new GenerationId("g" + id, "test"),
                "trace",
                prompt,
                List.of(choice()),
                SamplingParameters.greedy(),
                finish,
                returns);
    }

    List<StepPlanner.Progress> retire(StepPlanner planner, CountingReplica replica) {
        List<StepPlanner.Progress> progress = progress(planner, replica.next());
        for (StepPlanner.Progress part : progress) {
            for (StepResult.Answer answer : part.answers()) {
                if (answer instanceof StepResult.Token token) {
                    drawn.computeIfAbsent(token.sequence(), id -> new ArrayList<>())
                            .add(token.token());
                }
            }
        }
        planner.checkIntegrity();
        return progress;
    }

    static List<StepPlanner.Progress> progress(StepPlanner planner, StepResult result) {
        return planner.retire(result).stream()
                .flatMap(step -> step.progress().stream())
                .toList();
    }

    void runToTheEnd(StepPlanner planner, CountingReplica replica) {
        for (int i = 0; !planner.sequences().isEmpty(); i++) {
            assertThat(i).as("steps").isLessThan(10_000);
            planner.plan().ifPresent(replica::execute);
            retire(planner, replica);
        }
    }

    static List<Integer> tokensOf(StepBatch batch) {
        return batch.entries().stream().map(entry -> entry.tokens().size()).toList();
    }
}
