package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.LogitSearch;
import dev.troupe.model.Partition;
import dev.troupe.model.SearchedLogits;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.sampling.CandidateRow;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.RowDraw;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.SearchedRow;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whole models on the stand-in driver draw the tokens that the plain loops draw, on one device and split over two, however they draw. */
@StandInTest
class CudaDrawTest {
    private static final int TOKENS = 3;
    private static final int[] PROMPT = {5, 9, 200, 7, 9};

    private static final List<SamplingParameters> SETTINGS = List.of(
            SamplingParameters.greedy(),
            sampling(0, 0, 1, 0, 1.3f, Map.of(77, 2f), 3),
            sampling(1, 0, 1, 0, 1, Map.of(), -1),
            sampling(0.7f, 0, 1, 0, 1.1f, Map.of(), 0),
            sampling(0.8f, 40, 1, 0, 1, Map.of(), -1),
            sampling(1, 1, 1, 0, 1, Map.of(), -1),
            sampling(1.2f, 20, 0.9f, 0.01f, 1, Map.of(), 5),
            sampling(0.6f, 0, 0.9f, 0, 1, Map.of(), -1),
            sampling(50, 0, 0.9999f, 0, 1, Map.of(9, -4f), -1),
            sampling(50, 0, 1, 1e-6f, 1, Map.of(), 2));

    private int again;

    private static SamplingParameters sampling(
            float temperature, int topK, float topP, float minP, float repetition, Map<Integer, Float> bias, int top) {
        float penalty = repetition == 1 ? 0 : 0.25f;
        return new SamplingParameters(
                temperature, topK, topP, minP, repetition, penalty, penalty, bias, 0x123456789abcdefL, top);
    }

    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    @Test
    void drawsTheTokensOfTheReferenceKernels() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open("tales");
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            List<List<TokenDraw.Token>> expected = draw(checkpoint, 1, 1, ReferenceKernels::new);
            assertThat(again).as("rows that never left the host").isZero();

            assertThat(draw(checkpoint, 1, 1, () -> new CudaKernels(first))).isEqualTo(expected);
            assertThat(again).as("rows that had to be computed again").isPositive();
            Iterator<CudaDevice> turns = Stream.generate(() -> List.of(first, second))
                    .flatMap(List::stream)
                    .iterator();
            assertThat(draw(checkpoint, 2, 2, () -> new CudaKernels(turns.next())))
                    .isEqualTo(expected);
        }
    }

    /** The tokens of every setting, a sequence each; all sequences share the steps. */
    private List<List<TokenDraw.Token>> draw(Checkpoint checkpoint, int stages, int ranks, Supplier<Kernels> kernels)
            throws IOException {
        Partition partition = Partition.even(checkpoint.config(), stages, ranks);
        List<List<DecoderShard>> shards = new ArrayList<>();
        List<SamplerState> states = new ArrayList<>();
        List<List<TokenDraw.Token>> drawn = new ArrayList<>();
        for (SamplingParameters parameters : SETTINGS) {
            SamplerState state = new SamplerState(parameters, PROMPT.length);
            state.append(Ints.of(PROMPT));
            states.add(state);
            drawn.add(new ArrayList<>());
        }
        try {
            for (int s = 0; s < stages; s++) {
                shards.add(new ArrayList<>());
                for (int r = 0; r < ranks; r++) {
                    shards.getLast()
                            .add(shard(checkpoint, ShardSlice.of(checkpoint.config(), partition, s, r), kernels));
                }
            }
            for (int step = 0; step < TOKENS; step++) {
                List<TokenDraw.Token> next = step(shards, states, drawn);
                for (int i = 0; i < next.size(); i++) {
                    drawn.get(i).add(next.get(i));
                    states.get(i).append(next.get(i).token());
                }
            }
        } finally {
            shards.forEach(all -> all.forEach(DecoderShard::close));
        }
        return drawn;
    }

    private static DecoderShard shard(Checkpoint checkpoint, ShardSlice slice, Supplier<Kernels> all)
            throws IOException {
        Kernels kernels = all.get();
        ShardWeights weights =
                WeightLoader.load(checkpoint, slice, kernels.memory(), 1, RowCheck.NONE, LoadProgress.NONE);
        return new DecoderShard(weights, kernels, new KvSettings(KvType.F16, 16, SETTINGS.size()));
    }

    /** The prompts at first, then the tokens that were drawn last. */
    private static TokenBatch batch(List<List<TokenDraw.Token>> drawn) {
        int tokens = drawn.getFirst().size();
        int length = tokens == 0 ? PROMPT.length : 1;
        int all = length * drawn.size();
        return new TokenBatch(
                IntStream.range(0, all)
                        .map(i -> tokens == 0
                                ? PROMPT[i % length]
                                : drawn.get(i).getLast().token())
                        .toArray(),
                IntStream.range(0, all)
                        .map(i -> tokens == 0 ? i % length : PROMPT.length + tokens - 1)
                        .toArray(),
                IntStream.range(0, all).map(i -> i / length).toArray(),
                IntStream.range(0, drawn.size()).mapToObj(s -> new int[] {s}).toArray(int[][]::new));
    }

    private List<TokenDraw.Token> step(
            List<List<DecoderShard>> shards, List<SamplerState> states, List<List<TokenDraw.Token>> drawn) {
        TokenBatch batch = batch(drawn);
        Rows hidden = null;
        for (List<DecoderShard> ranks : shards) {
            List<ShardStep> steps = new ArrayList<>();
            boolean last = ranks.equals(shards.getLast());
            for (DecoderShard rank : ranks) {
                steps.add(rank.begin(batch, hidden));
            }
            for (int segment = 0; segment < ranks.getFirst().segments(); segment++) {
                segment(steps);
            }
            hidden = steps.getFirst().hidden();
            List<List<CandidateRow>> rows = new ArrayList<>();
            if (last) {
                for (int r = 0; r < ranks.size(); r++) {
                    rows.add(rows(ranks.get(r), steps.get(r), states, batch.tokens() / states.size()));
                }
            }
            steps.forEach(ShardStep::close);
            if (last) {
                return IntStream.range(0, states.size())
                        .mapToObj(i -> token(rows.stream().map(of -> of.get(i)).toList()))
                        .toList();
            }
        }
        throw new AssertionError("no stage");
    }

    private static void segment(List<ShardStep> steps) {
        List<List<SubtreeSum>> sums = steps.stream().map(ShardStep::compute).toList();
        for (int r = 0; r < steps.size(); r++) {
            List<SubtreeSum> peers = new ArrayList<>();
            for (int other = 0; other < steps.size(); other++) {
                peers.addAll(other == r ? List.of() : sums.get(other));
            }
            steps.get(r).finish(peers);
        }
    }

    /** A rank's rows of the last token of every sequence. */
    private List<CandidateRow> rows(DecoderShard rank, ShardStep step, List<SamplerState> states, int length) {
        int[] last =
                IntStream.range(0, states.size()).map(i -> length * (i + 1) - 1).toArray();
        List<RowDraw> draws = states.stream()
                .map(state -> RowDraw.of(state, 1, rank.firstVocabularyRow(), rank.vocabularyRows()))
                .toList();
        LogitSearch search = step.logitSearch();
        if (search == null) {
            Floats logits = step.logits(last);
            return IntStream.range(0, last.length)
                    .<CandidateRow>mapToObj(i -> new RankRow(logits, i, draws.get(i)))
                    .toList();
        }
        List<SearchedLogits> found =
                search.candidates(last, draws.stream().map(RowDraw::query).toList());
        assertThat(step.failedTokens().isEmpty()).isTrue();
        return IntStream.range(0, last.length)
                .<CandidateRow>mapToObj(
                        i -> new SearchedRow(draws.get(i), found.get(i).found(), () -> {
                            again++;
                            return found.get(i).logits().get();
                        }))
                .toList();
    }

    private static TokenDraw.Token token(List<CandidateRow> ranks) {
        TokenDraw draw = ranks.getFirst().draw();
        List<RankCandidates> candidates = new ArrayList<>();
        ranks.forEach(rank -> candidates.add(rank.candidates(draw.firstLimit())));
        while (draw.choose(candidates) instanceof TokenDraw.More more) {
            for (int i = 0; i < more.ranks().size(); i++) {
                int rank = more.ranks().get(i);
                candidates.set(rank, ranks.get(rank).candidates(more.limit()));
            }
        }
        return (TokenDraw.Token) draw.choose(candidates);
    }
}
