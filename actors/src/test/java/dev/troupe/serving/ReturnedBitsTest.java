package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Means of hidden states and scores of prompts, of a real decoder: the same bits whatever the split, chunks, company and blocks. */
class ReturnedBitsTest {
    private static final int BLOCK = 16;
    private static final int BLOCKS = 9;
    private static final int ALTERNATIVES = 3;

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

    private static Ints random(long seed, int size) {
        return Ints.of(new Random(seed)
                .ints(size, 20, oracle().checkpoint().config().vocabularySize())
                .toArray());
    }

    /** The later ones begin like the first; all together need more blocks than there are. */
    private static List<Ints> prompts() {
        Ints base = random(1, 60);
        return List.of(base, base.slice(0, 50), random(2, 1), base.slice(0, 33).append(random(3, 20)), random(4, 45));
    }

    /** Every other one draws tokens too, and is put back for the others' blocks when they run out. */
    private static Sequence sequence(int number, Ints prompt) {
        Submission.Choice choice = new Submission.Choice(0, Ints.of());
        Submission submission = new Submission(
                new GenerationId("g" + number, "test"),
                "trace",
                prompt,
                List.of(choice),
                new SamplingParameters(0, 0, 1, 0, 1, 0, 0, Map.of(), 0, ALTERNATIVES),
                new FinishRule(number % 2 == 0 ? 0 : 45, Ints.of()),
                new Returns(Set.of(Want.Kind.SCORE), Set.of(Want.Kind.MEAN)));
        return new Sequence(number, submission, choice);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 24", "1, 1, 5", "2, 2, 24", "2, 2, 3", "1, 2, 7", "2, 1, 48"})
    void ofAnySplitAndChunksAreThoseOfEachPromptAlone(int stages, int ranks, int chunk) {
        Partition partition = Partition.even(oracle().checkpoint().config(), stages, ranks);
        SimulatedReplica replica = new SimulatedReplica(
                new Random(chunk), partition, BLOCKS, BLOCK, (stage, rank) -> load(partition, stage, rank));
        replica.join();
        StepPlanner planner = new StepPlanner(
                SimulatedReplica.EPOCH,
                new StepLimits(48, chunk, 8, 8, 2, 4),
                new BlockTables(new KvBlockPool(BLOCKS, BLOCK), new PrefixHasher(List.of("tiny"), BLOCK)));
        Map<Long, List<StepResult.Answer>> answers = new HashMap<>();
        List<Ints> prompts = prompts();
        for (int i = 0; i < prompts.size(); i++) {
            planner.add(sequence(i, prompts.get(i)));
        }

        while (!planner.sequences().isEmpty()) {
            planner.plan().ifPresent(replica::execute);
            replica.tick();
            while (!replica.results().isEmpty()) {
                planner.retire(replica.results().removeFirst())
                        .forEach(step -> step.progress()
                                .forEach(part -> answers.computeIfAbsent(
                                                part.sequence().id(), _ -> new ArrayList<>())
                                        .addAll(part.answers())));
            }
        }

        assertThat(replica.refused()).isEmpty();
        assertThat(planner.preemptions()).as("put back").isPositive();
        for (int i = 0; i < prompts.size(); i++) {
            check(prompts.get(i), answers.getOrDefault((long) i, List.of()));
        }
    }

    private static ShardCompute load(Partition partition, int stage, int rank) {
        try {
            return oracle().load(partition, stage, rank, BLOCKS, BLOCK);
        } catch (WeightFormatException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void check(Ints prompt, List<StepResult.Answer> answers) {
        List<StepResult.Score> scores = answers.stream()
                .filter(answer -> answer instanceof StepResult.Score)
                .map(answer -> (StepResult.Score) answer)
                .toList();
        assertThat(scores).hasSize(prompt.size());
        for (int position = 0; position < prompt.size(); position++) {
            StepResult.Score score = scores.get(position);
            int next = position + 1 < prompt.size() ? prompt.get(position + 1) : -1;
            var expected = oracle().score(prompt.slice(0, position + 1), next, ALTERNATIVES);
            assertThat(score.position()).isEqualTo(position);
            assertThat(score.token()).isEqualTo(next);
            assertThat(Float.floatToIntBits(score.logprob())).isEqualTo(Float.floatToIntBits(expected.logprob()));
            assertThat(score.top()).hasSize(ALTERNATIVES);
            for (int i = 0; i < ALTERNATIVES; i++) {
                assertThat(score.top().get(i).token())
                        .isEqualTo(expected.top().get(i).token());
                assertThat(score.top().get(i).logprob())
                        .isEqualTo(expected.top().get(i).logprob());
            }
        }
        List<StepResult.Mean> means = answers.stream()
                .filter(answer -> answer instanceof StepResult.Mean)
                .map(answer -> (StepResult.Mean) answer)
                .toList();
        assertThat(means).isNotEmpty();
        means.forEach(mean -> assertThat(mean.values()).isEqualTo(oracle().mean(prompt)));
    }
}
