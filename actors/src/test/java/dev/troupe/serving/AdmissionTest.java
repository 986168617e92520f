package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    private static Admission admission(int contextLength) {
        Partition partition =
                new Partition(List.of(new Partition.Stage(0, 1, List.of(new Partition.Rank(0, 1, 0, 64)))));
        ReplicaPlan plan =
                new ReplicaPlan("m", 0, "", "exact", partition, List.of(List.of("slot")), KvType.F16, 128, 1 << 14);
        SchedulerSettings settings = new SchedulerSettings(
                "m",
                0,
                1,
                1,
                StepLimits.standard(1),
                contextLength,
                8,
                1 << 20,
                new SchedulerSettings.Waits(LONG, LONG, LONG, LONG, LONG, LONG));
        return new Admission(settings, plan, new KvBlockPool(plan.kvBlocks(), plan.kvBlockSize()));
    }

    private static Submission submission(int promptLength, int maxTokens) {
        return new Submission(
                new GenerationId("g", "slot"),
                "trace",
                Ints.of(new int[promptLength]),
                List.of(new Submission.Choice(0, Ints.of())),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of()),
                Returns.TOKENS_ONLY);
    }

    @Test
    void refusesWhatNoMessageBetweenNodesCouldDescribe() {
        Admission admission = admission(1 << 20);
        int most = StepLimits.DESCRIBED_TOKENS;

        assertThat(admission.refusal(submission(most - 100, 100))).isEmpty();
        assertThat(admission.refusal(submission(most - 100, 101)))
                .contains(
                        "prompt of 262044 tokens + max_tokens 101 = 262145 exceeds what one message between nodes describes, 262144 tokens; ask for at most 100");
    }
}
