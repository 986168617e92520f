package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the metrics and the page say of a pipeline of two stages with two ranks each that has worked. */
class PipelineMetricsTest {
    private static final int REQUESTS = 3;
    private static final int TOKENS = 24;

    private static Served served;

    @BeforeAll
    static void works() throws Exception {
        served = Served.start(Map.of(
                "troupe.replica.pipeline-parallel",
                2,
                "troupe.replica.tensor-parallel",
                2,
                "troupe.scheduler.prefix-cache",
                false));
        List<CompletableFuture<Void>> requests = IntStream.range(0, REQUESTS)
                .mapToObj(request -> CompletableFuture.runAsync(() -> complete("The cat number " + request)))
                .toList();
        requests.forEach(CompletableFuture::join);
    }

    private static void complete(String prompt) {
        String body = "{\"model\": \"tales\", \"prompt\": \"%s\", \"max_tokens\": %d, \"ignore_eos\": true}"
                .formatted(prompt, TOKENS);
        try {
            assertThat(served.post("/v1/completions", body).statusCode()).isEqualTo(200);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @AfterAll
    static void stops() {
        served.close();
    }

    private static Map<String, Double> metrics() throws Exception {
        Map<String, Double> values = new HashMap<>();
        served.get("/metrics")
                .body()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .forEach(line -> {
                    int end = line.lastIndexOf(' ');
                    values.put(line.substring(0, end), Double.parseDouble(line.substring(end + 1)));
                });
        return values;
    }

    private static double value(Map<String, Double> values, String name) {
        return Objects.requireNonNull(values.get(name), name);
    }

    private static double metric(String name) {
        try {
            return value(metrics(), name);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void sayWhereEveryRankRuns() throws Exception {
        assertThat(metrics())
                .containsEntry("troupe_rank_info{device=\"cpu0\",node=\"this process\",rank=\"1\",stage=\"0\"}", 1.0);
    }

    @Test
    void timesOfAStageFillTheTimeThatStepsWereInFlight() throws Exception {
        Map<String, Double> values = metrics();

        double busy = value(values, "troupe_pipeline_busy_seconds");
        assertThat(busy).isPositive();
        assertThat(values).containsEntry("troupe_pipeline_stages", 2.0);
        for (String stage : List.of("{stage=\"0\"}", "{stage=\"1\"}")) {
            double compute = value(values, "troupe_stage_compute_seconds" + stage);
            double exchange = value(values, "troupe_stage_exchange_wait_seconds" + stage);
            double bubble = value(values, "troupe_stage_bubble_seconds" + stage);
            assertThat(compute).isPositive();
            assertThat(exchange).isPositive();
            assertThat(bubble).isPositive();
            assertThat(compute + exchange + bubble).isLessThanOrEqualTo(busy * 1.001);
            assertThat(value(values, "troupe_stage_sent_bytes" + stage)).isPositive();
        }
    }

    @Test
    void everyStepIsCountedOnceInEveryHistogram() throws Exception {
        Map<String, Double> values = metrics();

        double steps = value(values, "troupe_steps");
        assertThat(steps).isGreaterThanOrEqualTo(TOKENS);
        for (String histogram : List.of("troupe_step_seconds", "troupe_step_tokens", "troupe_step_sequences")) {
            assertThat(values).containsEntry(histogram + "_count", steps);
            assertThat(values).containsEntry(histogram + "_bucket{le=\"+Inf\"}", steps);
        }
        double tokens = value(values, "troupe_computed_tokens");
        assertThat(values).containsEntry("troupe_step_tokens_sum", tokens);
        assertThat(values).containsEntry("troupe_stage_tokens{stage=\"1\"}", tokens);
        assertThat(value(values, "troupe_step_sequences_sum")).isGreaterThanOrEqualTo(REQUESTS * TOKENS);
        assertThat(value(values, "troupe_step_seconds_sum"))
                .as("at most one step for each stage is in flight")
                .isLessThanOrEqualTo(2.001 * value(values, "troupe_pipeline_busy_seconds"));
    }

    @Test
    void everyRankTellsAtTheNextLook() throws Exception {
        Served.await("a look, while something is computed", () -> {
            complete("Tim and the dog");
            return metric("troupe_rank_compute_seconds{rank=\"1\",stage=\"1\"}") > 0;
        });

        assertThat(metrics())
                .containsKeys(
                        "troupe_rank_compute_seconds{rank=\"0\",stage=\"0\"}",
                        "troupe_rank_exchange_wait_seconds{rank=\"1\",stage=\"1\"}");
    }

    @Test
    void blocksAreUsedFreeOrWaitForAStep() throws Exception {
        Map<String, Double> values = metrics();

        assertThat(value(values, "troupe_kv_blocks_used")
                        + value(values, "troupe_kv_blocks_free")
                        + value(values, "troupe_kv_blocks_retiring"))
                .isEqualTo(value(values, "troupe_kv_blocks"));
    }

    @Test
    void aStepIsDrawnAtOneStageAfterTheOther() throws Exception {
        JsonNode status = Served.json(served.get("/status"));

        List<Long> steps = new ArrayList<>();
        assertThat(status.path("timeline")).hasSizeGreaterThanOrEqualTo(TOKENS);
        for (JsonNode step : status.path("timeline")) {
            steps.add(step.path("step").asLong());
            assertThat(step.path("spans")).hasSize(2);
            double at = step.path("sent").asDouble();
            for (JsonNode span : step.path("spans")) {
                assertThat(span.get(0).asDouble()).isGreaterThanOrEqualTo(at - 1e-3);
                assertThat(span.get(1).asDouble()).isGreaterThan(span.get(0).asDouble());
                at = span.get(1).asDouble();
            }
            assertThat(step.path("retired").asDouble()).isGreaterThanOrEqualTo(at - 1e-3);
        }
        assertThat(steps).isSorted().doesNotHaveDuplicates();
        assertThat(status.at("/stages/1/ranks/0/device").asText()).isEqualTo("cpu0");
        assertThat(status.at("/stages/1/bubble_seconds").asDouble())
                .isCloseTo(value(metrics(), "troupe_stage_bubble_seconds{stage=\"1\"}"), within(1e-6));
    }
}
