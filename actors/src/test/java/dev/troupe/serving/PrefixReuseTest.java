package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sequences that begin with what others have computed; blocks hold 4 tokens. */
class PrefixReuseTest extends StepPlannerFixture {
    private static Ints tokens(int from, int to) {
        return Ints.of(IntStream.range(from, to)
                .map(i -> i % CountingReplica.VOCABULARY)
                .toArray());
    }

    private void assertRight(Sequence sequence) {
        assertThat(drawn.get(sequence.id()))
                .isEqualTo(CountingReplica.completion(sequence.submission(), sequence.choice()));
    }

    private Sequence run(StepPlanner planner, CountingReplica replica, Sequence sequence) {
        planner.add(sequence);
        runToTheEnd(planner, replica);
        return sequence;
    }

    @Test
    void computesOnlyTheRestOfAPromptThatBeginsLikeAnother() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 11), 1));
        long before = replica.tokens();

        Sequence second = sequence(tokens(0, 8).append(tokens(50, 55)), 3);
        planner.add(second);
        StepEntry entry = planner.plan().orElseThrow().entries().getFirst();

        assertThat(entry.firstPosition()).isEqualTo(8);
        assertThat(entry.tokens()).isEqualTo(tokens(50, 55));
        assertThat(entry.start()).isNotNull();
        assertThat(entry.newBlocks().size()).isEqualTo(4);
        assertThat(before).isEqualTo(11);
        assertThat(second.cachedTokens()).isEqualTo(8);
        assertThat(planner.prefixes()).isEqualTo(new PrefixCounts(8 + 12, 8, 2, 0));
    }

    @Test
    void givesTheTokensOfTheModelWithBlocksOfOthers() {
        StepPlanner planner = reusing(new StepLimits(8, 5, 8, 8, 2, 8), 30);
        CountingReplica replica = new CountingReplica(30, 4);
        run(planner, replica, sequence(tokens(0, 11), 6));
        long before = replica.tokens();

        Sequence second = run(planner, replica, sequence(tokens(0, 9).append(tokens(50, 60)), 6));

        assertRight(second);
        assertThat(replica.tokens() - before).isEqualTo(9 + 10 - 8 + 5);
    }

    @Test
    void computesAtLeastTheLastPromptToken() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 13), 1));

        Sequence full = run(planner, replica, sequence(tokens(0, 12), 4));
        Sequence oneMore = run(planner, replica, sequence(tokens(0, 13), 4));
        Sequence one = run(planner, replica, sequence(tokens(0, 1), 2));

        assertThat(full.cachedTokens()).isEqualTo(8);
        assertThat(oneMore.cachedTokens()).isEqualTo(12);
        assertThat(one.cachedTokens()).isZero();
        List.of(full, oneMore, one).forEach(this::assertRight);
    }

    @Test
    void reusesCompletionTokensForTheNextTurnOfAConversation() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        Sequence first = run(planner, replica, sequence(tokens(0, 6), 7));
        Ints said = Ints.of(drawn.getOrDefault(first.id(), List.of()).stream()
                .mapToInt(Integer::intValue)
                .toArray());

        Sequence next = run(planner, replica, sequence(tokens(0, 6).append(said).append(tokens(70, 73)), 5));

        assertThat(next.cachedTokens())
                .as("13 tokens, of which the last was never computed")
                .isEqualTo(12);
        assertRight(next);
    }

    @Test
    void findsNothingOfAnotherSalt() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 11), 1, Returns.TOKENS_ONLY, "a"));

        Sequence other = run(planner, replica, sequence(tokens(0, 11), 4, Returns.TOKENS_ONLY, "b"));
        Sequence none = run(planner, replica, sequence(tokens(0, 11), 4));
        Sequence same = run(planner, replica, sequence(tokens(0, 11), 4, Returns.TOKENS_ONLY, "a"));

        assertThat(List.of(other.cachedTokens(), none.cachedTokens(), same.cachedTokens()))
                .containsExactly(0, 0, 8);
        List.of(other, none, same).forEach(this::assertRight);
    }

    @Test
    void computesEveryPromptTokenAfterWhichSomethingIsWanted() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 11), 1));
        Returns prompt = new Returns(Set.of(Want.Kind.ROW), Set.of());
        Returns completion = new Returns(Set.of(), Set.of(Want.Kind.ROW));

        Sequence rows = run(planner, replica, sequence(tokens(0, 11), 2, prompt, ""));
        Sequence drawnRows = run(planner, replica, sequence(tokens(0, 11), 2, completion, ""));

        assertThat(rows.cachedTokens()).isZero();
        assertThat(drawnRows.cachedTokens()).isEqualTo(8);
        List.of(rows, drawnRows).forEach(this::assertRight);
    }

    @Test
    void waitsForWhatAnotherIsAboutToWriteInsteadOfComputingItToo() {
        StepPlanner planner = reusing(new StepLimits(32, 8, 8, 8, 2, 8), 40);
        CountingReplica replica = new CountingReplica(40, 4);
        Sequence first = sequence(tokens(0, 21), 4);
        Sequence second = sequence(tokens(0, 18).append(tokens(60, 64)), 4);
        Sequence stranger = sequence(tokens(40, 45), 4);
        List.of(first, second, stranger).forEach(planner::add);

        StepBatch step = planner.plan().orElseThrow();

        assertThat(step.entries().stream().map(StepEntry::sequence)).containsExactly(first.id(), stranger.id());
        replica.execute(step);
        runToTheEnd(planner, replica);
        assertThat(second.cachedTokens()).isEqualTo(16);
        List.of(first, second, stranger).forEach(this::assertRight);
    }

    @Test
    void doesNotWaitForOneWhoseNextTokenIsDeferred() {
        StepPlanner planner = reusing(new StepLimits(32, 8, 8, 8, 1, 8), 40);
        CountingReplica replica = new CountingReplica(40, 4);
        replica.defer(() -> true);
        Sequence deferred = sequence(tokens(0, 8), 4);
        Sequence longer = sequence(tokens(0, 8).append(tokens(60, 64)), 4);
        planner.add(deferred);
        replica.execute(planner.plan().orElseThrow());
        retire(planner, replica);
        planner.add(longer);

        StepBatch step = planner.plan().orElseThrow();

        assertThat(step.entries().stream().map(StepEntry::sequence)).containsExactly(deferred.id(), longer.id());
    }

    @Test
    void computesThePromptOfSeveralChoicesOnce() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 40);
        CountingReplica replica = new CountingReplica(40, 4);
        List<Submission.Choice> choices = IntStream.range(0, 4)
                .mapToObj(i -> new Submission.Choice(i, Ints.of()))
                .toList();
        Submission submission = new Submission(
                new GenerationId("n", "test"),
                "trace",
                tokens(0, 14),
                choices,
                SamplingParameters.greedy(),
                new FinishRule(5, Ints.of()),
                Returns.TOKENS_ONLY);
        List<Sequence> sequences = choices.stream()
                .map(choice -> new Sequence(++ids, submission, choice))
                .toList();

        sequences.forEach(planner::add);
        replica.execute(planner.plan().orElseThrow());
        retire(planner, replica);
        replica.execute(planner.plan().orElseThrow());

        assertThat(planner.pool().held())
                .as("3 full blocks, and one or two for each")
                .isLessThanOrEqualTo(3 + 4 * 2);
        runToTheEnd(planner, replica);
        sequences.forEach(this::assertRight);
        assertThat(replica.tokens()).isEqualTo(14 + 3 * 2 + 4 * 4);
        assertThat(sequences.stream().map(Sequence::cachedTokens)).containsExactly(0, 12, 12, 12);
    }

    @Test
    void findsOfACancelledSequenceWhatHasRetiredAndNoMore() {
        StepPlanner planner = reusing(new StepLimits(32, 8, 8, 8, 3, 8), 20);
        CountingReplica replica = new CountingReplica(20, 4);
        Sequence cancelled = sequence(tokens(0, 30), 4);
        planner.add(cancelled);
        for (int i = 0; i < 3; i++) {
            replica.execute(planner.plan().orElseThrow());
        }
        retire(planner, replica);
        planner.remove(cancelled);
        planner.checkIntegrity();

        Sequence again = sequence(tokens(0, 30), 4);
        planner.add(again);
        StepBatch step = planner.plan().orElseThrow();
        planner.checkIntegrity();
        replica.execute(step);

        assertThat(step.entries().getFirst().firstPosition()).isEqualTo(8);
        runToTheEnd(planner, replica);
        assertRight(again);
    }

    @Test
    void publishesNothingOfAStepThatMetAValueThatIsNotFinite() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        Sequence failing = sequence(tokens(0, 9), 4);
        replica.poison(failing.id());
        run(planner, replica, failing);

        assertThat(planner.prefixes().cachedBlocks()).isZero();
    }

    @Test
    void forgetsTheLeastRecentlyUsedBlocksWhenOthersNeedThem() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        run(planner, replica, sequence(tokens(0, 13), 1));
        run(planner, replica, sequence(tokens(20, 33), 1));
        Sequence used = run(planner, replica, sequence(tokens(0, 13), 1));

        run(planner, replica, sequence(tokens(40, 57), 1));
        Sequence kept = run(planner, replica, sequence(tokens(0, 13), 3));
        Sequence evicted = run(planner, replica, sequence(tokens(20, 33), 3));

        assertThat(used.cachedTokens()).isEqualTo(12);
        assertThat(kept.cachedTokens()).isPositive();
        assertThat(evicted.cachedTokens()).isZero();
        assertThat(planner.prefixes().evictions()).isPositive();
        List.of(kept, evicted).forEach(this::assertRight);
    }

    /** The same requests, of which no two begin alike, to a planner that keeps blocks and to one that does not. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void neverMakesARequestWaitForBlocksThatAreOnlyKept(long seed) {
        Random random = new Random(seed);
        int blocks = 10 + random.nextInt(20);
        StepLimits limits = new StepLimits(16, 8, 8, 8, 1 + random.nextInt(3), 8);
        List<StepPlanner> planners = List.of(planner(limits, blocks), reusing(limits, blocks));
        List<CountingReplica> replicas = List.of(new CountingReplica(blocks, 4), new CountingReplica(blocks, 4));
        int next = 0;
        int compared = 0;
        long evictions = 0;
        for (int i = 0; i < 2000; i++) {
            int what = random.nextInt(3);
            int prompt = 1 + random.nextInt(20);
            int maxTokens = 1 + random.nextInt(4);
            int own = next++;
            List<String> shapes = new ArrayList<>();
            for (int p = 0; p < 2; p++) {
                StepPlanner planner = planners.get(p);
                if (what == 0 && planner.sequences().size() < 6) {
                    // A salt of its own: nothing is found, also not after it was put back.
                    planner.add(new Sequence(own, salted(own, prompt, maxTokens), choice()));
                } else if (what == 1) {
                    Optional<StepBatch> step = planner.plan();
                    step.ifPresent(replicas.get(p)::execute);
                    shapes.add(step.map(PrefixReuseTest::shape).orElse(""));
                } else if (replicas.get(p).stepsInFlight() > 0) {
                    retire(planner, replicas.get(p));
                }
                planner.checkIntegrity();
            }
            if (what == 1 && planners.stream().allMatch(planner -> planner.preemptions() == 0)) {
                // What was put back computes less the second time, so the two go different ways after that.
                assertThat(shapes.getFirst()).isEqualTo(shapes.getLast());
                compared++;
                evictions = planners.getLast().prefixes().evictions();
            }
        }
        assertThat(compared).isGreaterThan(100);
        assertThat(evictions)
                .as("steps were planned with blocks that were kept")
                .isPositive();
    }

    private static Submission salted(int id, int prompt, int maxTokens) {
        return new Submission(
                new GenerationId("g" + id, "test"),
                "trace",
                tokens(0, prompt),
                List.of(choice()),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of()),
                Returns.TOKENS_ONLY,
                0,
                "salt " + id,
                Precedence.NONE);
    }

    private static String shape(StepBatch batch) {
        return batch.entries().stream()
                .map(entry -> entry.sequence() + ":" + entry.firstPosition() + "+"
                        + entry.tokens().size())
                .toList()
                .toString();
    }

    @Test
    void computesOnlyTheRestAgainOfASequenceThatWasPutBack() {
        StepPlanner planner = reusing(new StepLimits(32, 8, 8, 8, 2, 8), 12);
        CountingReplica replica = new CountingReplica(12, 4);
        List<Sequence> sequences = IntStream.range(0, 5)
                .mapToObj(i -> sequence(tokens(9 * i, 9 * i + 3), 40))
                .toList();
        sequences.forEach(planner::add);

        runToTheEnd(planner, replica);

        assertThat(planner.preemptions()).isPositive();
        assertThat(planner.prefixes().hitTokens()).isPositive();
        sequences.forEach(this::assertRight);
        assertThat(sequences.stream().map(Sequence::cachedTokens))
                .as("as they began")
                .containsOnly(0);
    }

    @Test
    void computesEveryTokenOfAPromptWhoseMeanIsWanted() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 13), 1));
        Sequence averaged = sequence(tokens(0, 13), 0, new Returns(Set.of(), Set.of(Want.Kind.MEAN)), "");
        planner.add(averaged);
        int computed = 0;
        List<StepResult.Answer> answers = new ArrayList<>();

        while (!planner.sequences().isEmpty()) {
            StepBatch batch = planner.plan().orElseThrow();
            computed += batch.tokens();
            replica.execute(batch);
            retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));
        }

        assertThat(computed).isEqualTo(13);
        assertThat(averaged.cachedTokens()).isZero();
        assertThat(answers).singleElement().isInstanceOf(StepResult.Mean.class);
        planner.checkIntegrity();
    }

    @Test
    void answersEveryWantOnceWithBlocksOfOthers() {
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 20);
        CountingReplica replica = new CountingReplica(20, 4);
        run(planner, replica, sequence(tokens(0, 13), 1));
        Returns hidden = new Returns(Set.of(), Set.of(Want.Kind.HIDDEN));
        planner.add(sequence(tokens(0, 13), 0, hidden, ""));
        List<StepResult.Answer> answers = new ArrayList<>();

        while (!planner.sequences().isEmpty()) {
            replica.execute(planner.plan().orElseThrow());
            retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));
        }

        assertThat(answers)
                .singleElement()
                .isInstanceOfSatisfying(
                        StepResult.Hidden.class,
                        answer -> assertThat(answer.position()).isEqualTo(12));
    }
}
