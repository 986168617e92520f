package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Partition;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.tensor.Ints;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuidedStepsTest {
    private static final GuideSpec DATE = new GuideSpec(GuideSpec.Kind.REGEX, "(19|20)[0-9]{2}(-[01][0-9]){2}Z?");
    private static final int PROMPT = 2;

    private static int deferrals;

    private final CountingModel model = CountingModel.small();
    private final int end = model.vocabulary() - 1;
    private final TokenTable table = new TokenTable(model.vocabulary(), this::bytes, Ints.of(end));

    /** Every byte several times, so that all ranks have some; an odd one out ends the text. */
    private byte[] bytes(int id) {
        return id == end ? new byte[0] : new byte[] {(byte) id};
    }

    private SimulatedReplica replica(@Nullable TokenTable tokens, int... ranks) {
        Partition partition = TestPlans.partition(model, ranks);
        return new SimulatedReplica(
                new Random(3),
                partition,
                TestPlans.BLOCKS,
                TestPlans.BLOCK_SIZE,
                (stage, rank) ->
                        new CountingShard(model, partition, stage, rank, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE),
                tokens);
    }

    private static SamplingParameters sampling(long seed, GuideSpec guide) {
        return new SamplingParameters(seed % 2 == 0 ? 0 : 3, 0, 1, 0, 1, 0, 0, Map.of(), seed, -1, guide);
    }

    /** Tokens from {@code known} to the end of the text, by ranks that hear of the sequence now. */
    private Ints complete(SamplingParameters sampling, Ints known, int... ranks) {
        SimulatedReplica replica = replica(table, ranks);
        replica.join();
        List<Integer> tokens = new ArrayList<>(known.stream().boxed().toList());
        SequenceStart start = new SequenceStart(known, PROMPT, sampling, 0);
        boolean again = false;
        if (ranks.length > 1 || known.size() % 2 == 1) {
            replica.holdGuides();
        }
        for (int step = 1; tokens.getLast() != end; step++) {
            int position = tokens.size() - 1;
            int last = tokens.getLast();
            replica.execute(
                    step == 1
                            ? TestPlans.prefill(1, 5, start, 0)
                            : again ? TestPlans.decode(step, 5, position, last) : decode(step, position, last));
            replica.drain();
            replica.releaseGuides();
            StepResult.Answer answer = replica.results().removeFirst().answers().getFirst();
            again = answer instanceof StepResult.Deferred;
            deferrals += again ? 1 : 0;
            if (answer instanceof StepResult.Token drawn) {
                tokens.add(drawn.token());
            }
        }
        return Ints.of(tokens.stream().mapToInt(Integer::intValue).toArray());
    }

    /** One token, with a block of its own where it begins one. */
    private static StepBatch decode(long step, int position, int token) {
        boolean first = position % TestPlans.BLOCK_SIZE == 0;
        StepEntry entry = new StepEntry(
                5,
                null,
                position,
                Ints.of(token),
                first ? Ints.of(position / TestPlans.BLOCK_SIZE) : Ints.of(),
                List.of(new Want(0, Want.Kind.TOKEN)));
        return new StepBatch(TestPlans.EPOCH, step, List.of(entry), List.of(), 0);
    }

    private String text(Ints tokens) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        tokens.slice(PROMPT, tokens.size()).stream().forEach(id -> bytes.writeBytes(bytes(id)));
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5})
    void aGuidedCompletionFollowsItsGuideOnAnyNumberOfRanks(long seed) {
        SamplingParameters sampling = sampling(seed, DATE);
        Ints prompt = Ints.of(40 + (int) seed, 41);

        Ints one = complete(sampling, prompt, 1);

        assertThat(text(one)).matches(DATE.source());
        assertThat(complete(sampling, prompt, 2)).isEqualTo(one);
        assertThat(complete(sampling, prompt, 1, 3)).isEqualTo(one);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void ranksThatHearOfItLateGoOnWithTheSameTokens(long seed) {
        SamplingParameters sampling = sampling(seed, DATE);
        Ints whole = complete(sampling, Ints.of(40, 41 + (int) seed), 2);

        for (int known = PROMPT; known < whole.size(); known++) {
            assertThat(complete(sampling, whole.slice(0, known), 2, 2)).isEqualTo(whole);
        }
    }

    @AfterAll
    static void hasDeferredTokens() {
        assertThat(deferrals).isPositive();
    }

    @Test
    void otherSequencesGoOnWhileAGuideIsCompiled() {
        SimulatedReplica replica = replica(table, 1, 2);
        replica.join();
        replica.holdGuides();
        SequenceStart guided = new SequenceStart(Ints.of(40, 41), PROMPT, sampling(0, DATE), 0);

        replica.execute(together(guided, TestPlans.greedy(40, 41)));
        replica.execute(TestPlans.decode(2, 5, 1, 41));
        replica.drain();

        assertThat(replica.results().removeFirst().answers())
                .hasSize(2)
                .first()
                .isEqualTo(new StepResult.Deferred(5, 1));
        assertThat(replica.results().removeFirst().answers()).containsExactly(new StepResult.Deferred(5, 1));

        replica.releaseGuides();
        replica.drain();
        replica.execute(TestPlans.decode(3, 5, 1, 41));
        replica.drain();

        int first = complete(sampling(0, DATE), Ints.of(40, 41), 1).get(PROMPT);
        assertThat(replica.results().removeFirst().answers())
                .singleElement()
                .isInstanceOfSatisfying(
                        StepResult.Token.class,
                        token -> assertThat(token.token()).isEqualTo(first));
    }

    private static StepBatch together(SequenceStart first, SequenceStart second) {
        return new StepBatch(
                TestPlans.EPOCH,
                1,
                List.of(
                        TestPlans.prefill(1, 5, first, 0).entries().getFirst(),
                        TestPlans.prefill(1, 6, second, 1).entries().getFirst()),
                List.of(),
                0);
    }

    @Test
    void onlyTheSequenceWhoseGuideCannotBeFollowedFails() {
        SimulatedReplica replica = replica(null, 2);
        replica.join();
        SequenceStart guided = new SequenceStart(Ints.of(40, 41), PROMPT, sampling(0, DATE), 0);

        replica.execute(TestPlans.prefill(1, 5, guided, 0));
        replica.drain();
        replica.results().clear(); // compiled by now, or failed already
        replica.execute(TestPlans.decode(2, 5, 1, 41));
        replica.execute(TestPlans.prefill(3, 6, TestPlans.greedy(40, 41), 1));
        replica.drain();

        assertThat(replica.results().getFirst().failures()).hasSize(1);
        assertThat(replica.results().getLast().answers()).hasSize(1);
    }
}
