package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What a planner makes of the results of steps. */
class StepResultsTest extends StepPlannerFixture {
    @Test
    void wantsRowsOfEveryPromptPositionWithinTheRowsOfAStep() {
        Returns rows = new Returns(Set.of(Want.Kind.ROW), Set.of());
        StepPlanner planner = planner(new StepLimits(32, 16, 8, 8, 2, 3), 8);
        CountingReplica replica = new CountingReplica(8, 4);
        planner.add(sequence(7, 2, rows));
        List<Integer> positions = new ArrayList<>();
        List<Integer> chunks = new ArrayList<>();
        while (!planner.sequences().isEmpty()) {
            planner.plan().ifPresent(batch -> {
                chunks.addAll(tokensOf(batch));
                replica.execute(batch);
            });
            retire(planner, replica)
                    .forEach(progress -> progress.answers().stream()
                            .filter(answer -> answer instanceof StepResult.Row)
                            .forEach(answer -> positions.add(answer.position())));
        }

        assertThat(chunks).containsExactly(3, 3, 1, 1);
        assertThat(positions).containsExactly(0, 1, 2, 3, 4, 5, 6);
    }

    @Test
    void scoresManyMorePromptTokensInAStepThanItReturnsRows() {
        Returns scores = new Returns(Set.of(Want.Kind.SCORE), Set.of());
        StepPlanner planner = planner(new StepLimits(64, 64, 8, 8, 1, 2), 20);
        CountingReplica replica = new CountingReplica(20, 4);
        planner.add(sequence(70, 0, scores));
        List<Integer> chunks = new ArrayList<>();
        List<Integer> positions = new ArrayList<>();

        while (!planner.sequences().isEmpty()) {
            StepBatch batch = planner.plan().orElseThrow();
            chunks.addAll(tokensOf(batch));
            replica.execute(batch);
            retire(planner, replica)
                    .forEach(progress -> progress.answers().forEach(answer -> positions.add(answer.position())));
        }

        assertThat(chunks).containsExactly(32, 32, 6);
        assertThat(positions).isEqualTo(IntStream.range(0, 70).boxed().toList());
    }

    @Test
    void endsASequenceThatDrawsNothingWhenItsLastPromptTokenIsAnswered() {
        Returns hidden = new Returns(Set.of(), Set.of(Want.Kind.HIDDEN));
        StepPlanner planner = planner(new StepLimits(4, 4, 8, 8, 1, 3), 8);
        CountingReplica replica = new CountingReplica(8, 4);
        planner.add(sequence(7, 0, hidden));
        List<StepResult.Answer> answers = new ArrayList<>();

        while (!planner.sequences().isEmpty()) {
            replica.execute(planner.plan().orElseThrow());
            retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));
        }

        assertThat(answers)
                .singleElement()
                .isInstanceOfSatisfying(
                        StepResult.Hidden.class,
                        answer -> assertThat(answer.position()).isEqualTo(6));
        assertThat(planner.pool().free()).isEqualTo(8);
    }

    @Test
    void endsAFailedSequenceAloneAndSaysWhy() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        Sequence failing = sequence(3, 8);
        Sequence healthy = sequence(3, 8);
        planner.add(failing);
        planner.add(healthy);
        replica.poison(failing.id());

        replica.execute(planner.plan().orElseThrow());
        List<StepPlanner.Progress> progress = retire(planner, replica);

        assertThat(progress)
                .filteredOn(part -> part.failure() != null)
                .singleElement()
                .satisfies(part -> {
                    assertThat(part.sequence()).isEqualTo(failing);
                    assertThat(part.failure())
                            .isEqualTo(
                                    new GenerationFailure(GenerationFailure.Kind.NOT_FINITE, "a logit is not finite"));
                });
        assertThat(planner.sequences()).containsExactly(healthy);
        assertThat(planner.pool().held()).isEqualTo(1);
    }

    @Test
    void failsASequenceWhoseWantsAreNotAnsweredInsteadOfWaitingForEver() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        planner.add(sequence(3, 8));
        assertThat(planner.plan()).isPresent();

        List<StepPlanner.Progress> progress =
                progress(planner, new StepResult(EPOCH, 1, List.of(), List.of(), List.of()));

        assertThat(progress.getFirst().failure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.DEFECT,
                        "step 1 of epoch e3.9 answered [], expected [Want[offset=2, kind=TOKEN]] from position 0"));
        assertThat(planner.pool().free()).isEqualTo(8);
    }

    @Test
    void retiresStepsInOrderWhenAResultComesEarly() {
        StepPlanner planner = planner(new StepLimits(32, 4, 8, 8, 2, 8), 8);
        CountingReplica replica = new CountingReplica(8, 4);
        Sequence sequence = sequence(8, 1);
        planner.add(sequence);
        replica.execute(planner.plan().orElseThrow());
        replica.execute(planner.plan().orElseThrow());
        StepResult first = replica.next();
        StepResult second = replica.next();

        assertThat(planner.retire(second)).isEmpty();
        assertThat(planner.sequences()).containsExactly(sequence);
        List<StepPlanner.Progress> progress = progress(planner, first);

        assertThat(progress).hasSize(2);
        assertThat(planner.sequences()).isEmpty();
        assertThat(planner.pool().free()).isEqualTo(8);
    }

    @Test
    void doesNotExpectARepeatedOrAForeignResult() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        planner.add(sequence(3, 8));
        replica.execute(planner.plan().orElseThrow());
        StepResult result = replica.next();
        StepResult foreign = new StepResult(EPOCH.next(1), result.step(), result.answers(), List.of(), List.of());

        assertThat(planner.expects(foreign)).isFalse();
        assertThat(planner.expects(result)).isTrue();
        planner.retire(result);
        assertThat(planner.expects(result)).isFalse();
        assertThatThrownBy(() -> planner.retire(result))
                .hasMessage("result of epoch=e3.9 step=1, expected epoch=e3.9 steps=[]");
    }

    @Test
    void asksAgainForATokenThatWasDeferredAndForNothingElse() {
        Returns hidden = new Returns(Set.of(), Set.of(Want.Kind.HIDDEN));
        StepPlanner planner = reusing(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        boolean[] defers = {true};
        replica.defer(() -> defers[0]);
        Sequence waiting = sequence(4, 1, hidden);
        planner.add(waiting);
        List<StepResult.Answer> answers = new ArrayList<>();

        replica.execute(planner.plan().orElseThrow());
        retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));
        int published = planner.pool().published();
        StepBatch again = planner.plan().orElseThrow();
        replica.execute(again);
        retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));
        defers[0] = false;
        replica.execute(planner.plan().orElseThrow());
        retire(planner, replica).forEach(progress -> answers.addAll(progress.answers()));

        assertThat(again.entries()).singleElement().satisfies(entry -> {
            assertThat(entry.firstPosition()).isEqualTo(3);
            assertThat(entry.start()).isNull();
            assertThat(entry.wants()).containsExactly(new Want(0, Want.Kind.TOKEN));
        });
        assertThat(published)
                .as("blocks that others may share, while one is written again")
                .isZero();
        assertThat(answers).hasSize(2);
        assertThat(answers.getFirst()).isInstanceOf(StepResult.Hidden.class);
        assertThat(answers.getLast()).isInstanceOf(StepResult.Token.class);
        assertThat(drawn.get(waiting.id())).isEqualTo(CountingReplica.completion(waiting.submission(), 0));
        assertThat(planner.sequences()).isEmpty();
        assertThat(planner.pool().free()).isEqualTo(8);
    }

    @Test
    void aDeferredSequenceThatIsComputedAloneLetsTheOthersGoOn() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 16);
        CountingReplica replica = new CountingReplica(16, 4);
        replica.defer(() -> true);
        Sequence first = suspect();
        Sequence second = suspect();
        Sequence other = sequence(3, 8);
        List.of(first, second, other).forEach(planner::add);
        List<Long> steps = new ArrayList<>();

        for (int step = 0; step < 6; step++) {
            StepBatch batch = planner.plan().orElseThrow();
            replica.execute(batch);
            retire(planner, replica);
            assertThat(batch.entries()).hasSize(1);
            steps.add(batch.entries().getFirst().sequence());
        }

        assertThat(steps).containsExactly(first.id(), other.id(), second.id(), other.id(), first.id(), other.id());
    }

    @Test
    void aDeferredSequenceGoesOnThoughOneThatWasNeverAskedHasNoRoom() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 4);
        CountingReplica replica = new CountingReplica(4, 4);
        int[] left = {3};
        replica.defer(() -> left[0]-- > 0);
        Sequence first = suspect(9);
        Sequence second = suspect(9);
        planner.add(first);
        planner.add(second);

        runToTheEnd(planner, replica);

        assertThat(left[0]).isNegative();
        assertThat(drawn.get(first.id())).isEqualTo(CountingReplica.completion(first.submission(), 0));
        assertThat(drawn.get(second.id())).isEqualTo(CountingReplica.completion(second.submission(), 0));
    }

    private Sequence suspect() {
        return suspect(3);
    }

    private Sequence suspect(int promptLength) {
        Sequence suspect = sequence(promptLength, 4);
        suspect.begin(Ints.of(), 4);
        suspect.take(1, promptLength, Ints.of(0));
        suspect.lose(Loss.NAMED);
        return suspect;
    }
}
