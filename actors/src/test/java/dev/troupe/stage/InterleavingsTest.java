package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.ModelConfig;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole replicas of plain runners under hundreds of orders of events: any partition, chunks, micro-batches, drafts,
 * cancels, block reuse, and a network that delays, splits, repeats and mixes epochs up. A run that did not disturb shows
 * nothing, so every kind of disturbance must have been seen.
 */
class InterleavingsTest {
    private static final String[] DISTURBANCES = {
        "cancelled",
        "chunks of one prompt in flight",
        "drafts accepted",
        "drafts rejected",
        "finished",
        "means",
        "recomputed",
        "repeated",
        "rounds of candidates",
        "scores",
        "several steps in flight",
        "stale"
    };

    @Test
    void ofACountingModelGiveTheTokensOfTheUndisturbedRun() {
        CountingModel model = CountingModel.small();
        Rehearsal rehearsal = new Rehearsal(
                new Rehearsal.Shape(model.layers(), model.groups(), model.vocabulary(), List.of(2, 4, 8)),
                new CountingOracle(model),
                (partition, stage, rank, blocks, blockSize) ->
                        new CountingShard(model, partition, stage, rank, blocks, blockSize));

        rehearsal.run(320);

        assertThat(rehearsal.seen()).containsKeys(DISTURBANCES).containsKey("failed");
    }

    @Test
    void ofRanksThatSearchTheirLogitsAndOfOthersGiveTheTokensOfTheUndisturbedRun() {
        CountingModel model = CountingModel.small();
        Rehearsal rehearsal = new Rehearsal(
                new Rehearsal.Shape(model.layers(), model.groups(), model.vocabulary(), List.of(2, 4, 8)),
                new CountingOracle(model),
                (partition, stage, rank, blocks, blockSize) -> {
                    CountingShard shard = new CountingShard(model, partition, stage, rank, blocks, blockSize);
                    return rank % 4 < 2 ? new SearchingShard(shard) : shard;
                });

        rehearsal.run(160);

        assertThat(rehearsal.seen()).containsKeys(DISTURBANCES).containsKey("failed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny:f32", "tiny:q8_0"})
    void ofARealDecoderGiveTheBitsOfTheUndisturbedRun(String name) throws Exception {
        try (DecoderOracle oracle = new DecoderOracle(name)) {
            ModelConfig config = oracle.checkpoint().config();
            Rehearsal rehearsal = new Rehearsal(
                    new Rehearsal.Shape(config.layers(), config.kvHeads(), config.vocabularySize(), List.of(16, 32)),
                    oracle,
                    oracle::load);

            rehearsal.run(12);

            assertThat(rehearsal.seen()).containsKeys(DISTURBANCES);
        }
    }
}
