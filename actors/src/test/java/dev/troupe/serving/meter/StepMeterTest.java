package dev.troupe.serving.meter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.StageWork;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StepMeterTest {
    /** Clocks of stages have nothing to do with each other. */
    private static final long[] CLOCKS = {Long.MAX_VALUE - 1_000, -7_000_000};

    private final StepMeter meter = new StepMeter(List.of(1, 1), 0);

    private static StepBatch batch(long step, int... tokens) {
        List<StepEntry> entries = IntStream.range(0, tokens.length)
                .mapToObj(i -> new StepEntry(i + 1, null, 0, Ints.of(new int[tokens[i]]), Ints.of(), List.of()))
                .toList();
        return new StepBatch(new Epoch(1, 1), step, entries, List.of(), 0);
    }

    private static StageWork work(int stage, long from, long to) {
        return new StageWork(stage, to - from, 0, 0, CLOCKS[stage] + from, 0);
    }

    private double bubble(int stage) {
        PipelineStats now = meter.now();
        return (double) now.stages().get(stage).bubbleNanos() / now.busyNanos();
    }

    @Test
    void oneStepInFlightLeavesEveryStageIdleForTheOthers() {
        for (int step = 1; step <= 5; step++) {
            long sent = 100L * step;
            meter.sent(sent);
            meter.settle();
            meter.retired(batch(step, 1), List.of(work(0, sent, sent + 10), work(1, sent + 10, sent + 20)), sent + 20);
            meter.settle();
        }

        PipelineStats now = meter.now();
        double inFlight = now.stepSeconds().sum() / (now.busyNanos() / 1e9);
        assertThat(now.busyNanos()).isEqualTo(100);
        assertThat(inFlight).isCloseTo(1, within(1e-9));
        assertThat(bubble(0)).isEqualTo(PipelineStats.idealBubble(2, 1)).isEqualTo(0.5);
        assertThat(bubble(1)).isEqualTo(0.5);
    }

    @Test
    void aPipelineThatIsFilledAndDrainedHasTheBubbleOfTheFormula() {
        for (int microBatches = 1; microBatches <= 6; microBatches++) {
            StepMeter fresh = new StepMeter(List.of(1, 1), 0);
            for (int step = 0; step < microBatches; step++) {
                fresh.sent(0);
            }
            for (int step = 0; step < microBatches; step++) {
                long from = 10L * step;
                fresh.retired(
                        batch(step + 1, 1),
                        List.of(work(0, from, from + 10), work(1, from + 10, from + 20)),
                        from + 20);
            }

            PipelineStats now = fresh.now();
            for (StageUsage stage : now.stages()) {
                assertThat((double) stage.bubbleNanos() / now.busyNanos())
                        .isCloseTo(PipelineStats.idealBubble(2, microBatches), within(1e-9));
            }
        }
    }

    @Test
    void stepsThatAreOpenAtTheSameTimeFillAStageOnce() {
        meter.sent(0);
        meter.sent(0);
        meter.retired(batch(1, 1), List.of(work(0, 0, 10), work(1, 10, 40)), 40);
        meter.retired(batch(2, 1), List.of(work(0, 10, 20), work(1, 20, 60)), 60);

        assertThat(meter.now().busyNanos()).isEqualTo(60);
        assertThat(meter.now().stages()).extracting(StageUsage::bubbleNanos).containsExactly(40L, 10L);
    }

    @Test
    void timeWithoutAnythingToDoIsNoBubbleAndTheTimeToPlanIs() {
        meter.sent(1_000);
        meter.settle();
        meter.retired(batch(1, 1), List.of(work(0, 1_000, 1_010), work(1, 1_010, 1_020)), 1_020);
        meter.sent(1_025);
        meter.settle();
        meter.retired(batch(2, 1), List.of(work(0, 1_025, 1_030), work(1, 1_030, 1_035)), 1_035);
        meter.settle();
        meter.sent(9_000);
        meter.settle();

        assertThat(meter.now().busyNanos()).isEqualTo(35);
        assertThat(meter.now().stages()).extracting(StageUsage::bubbleNanos).containsExactly(20L, 20L);
    }

    @Test
    void countsStepsByTheirTimeTokensAndSequences() {
        meter.sent(0);
        meter.sent(0);
        meter.retired(batch(1, 5, 1), List.of(), 1_000_000);
        meter.retired(batch(2, 3_000), List.of(), 20_000_000_000L);

        PipelineStats now = meter.now();
        assertThat(now.stepSeconds().count()).isEqualTo(2);
        assertThat(now.stepSeconds().counts().get(now.stepSeconds().bounds().indexOf(0.001)))
                .as("a bound belongs to its range")
                .isEqualTo(1);
        assertThat(now.stepSeconds().counts().getLast()).isEqualTo(1);
        assertThat(now.stepTokens().sum()).isEqualTo(3_006);
        assertThat(now.stepTokens().counts().get(now.stepTokens().bounds().indexOf(8.0)))
                .isEqualTo(1);
        assertThat(now.stepSequences().sum()).isEqualTo(3);
    }

    @Test
    void ranksHaveDoneWhatTheLastLookSays() {
        meter.note(new RankUsage(1, 0, 7, 3));
        meter.note(new RankUsage(2, 0, 7, 3));
        meter.note(new RankUsage(0, 1, 7, 3));

        assertThat(meter.now().ranks()).containsExactly(new RankUsage(0, 0, 0, 0), new RankUsage(1, 0, 7, 3));
    }

    /** Whatever the clocks say, steps are drawn where they were, up to what the fastest messages of each way take. */
    @Test
    void putsStagesWithForeignClocksOnOneAxis() {
        int stages = 3;
        long slack = 75; // of ways that take 50 at least
        for (long seed = 0; seed < 200; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            long[] clocks = random.longs(stages).map(clock -> clock / 4).toArray();
            StepTimeline timeline = new StepTimeline(stages, 1_000);
            List<List<StepTrace.Span>> truth = new ArrayList<>();
            long[] free = new long[stages];
            for (int step = 1; step <= 60; step++) {
                long sent = 1_000 + step * 1_500L;
                List<StageWork> work = new ArrayList<>();
                List<StepTrace.Span> spans = new ArrayList<>();
                long at = sent;
                for (int stage = 0; stage < stages; stage++) {
                    long start = Math.max(free[stage], at + (step % 20 == 0 ? 50 : random.nextLong(50, 400)));
                    at = start + random.nextLong(100, 1_200);
                    free[stage] = at;
                    work.add(new StageWork(
                            stage, (at - start) / 2, at - start - (at - start) / 2, 0, clocks[stage] + start, 0));
                    spans.add(new StepTrace.Span(start - 1_000, at - 1_000));
                }
                timeline.add(batch(step, 1), work, sent, at + (step % 20 == 0 ? 50 : random.nextLong(50, 400)));
                truth.add(spans);
            }

            List<StepTrace> traces = timeline.now();

            assertThat(traces).hasSize(48);
            for (int i = 0; i < traces.size(); i++) {
                List<StepTrace.Span> expected = truth.get(truth.size() - traces.size() + i);
                for (int stage = 0; stage < stages; stage++) {
                    StepTrace.Span drawn = traces.get(i).stages().get(stage);
                    assertThat(drawn.endNanos() - drawn.startNanos())
                            .isEqualTo(expected.get(stage).endNanos()
                                    - expected.get(stage).startNanos());
                    assertThat(drawn.startNanos())
                            .as("seed %d", seed)
                            .isCloseTo(expected.get(stage).startNanos(), within(slack));
                }
            }
        }
    }
}
