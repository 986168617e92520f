package dev.troupe.load;

import static dev.troupe.openai.FakeServer.CHUNK;
import static dev.troupe.openai.FakeServer.DONE;
import static dev.troupe.openai.FakeServer.USAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.openai.ApiClient;
import dev.troupe.openai.FakeServer;
import java.io.StringReader;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.xml.sax.InputSource;

class LoadRunTest {
    private static final FakeServer.Reply GOOD =
            FakeServer.stream(CHUNK.formatted("a"), CHUNK.formatted("b"), CHUNK.formatted("c"), USAGE, DONE);
    private static final List<Tenant> NOBODY = List.of(new Tenant("", "", 1));
    private static final LoadPlan.Ask STREAMS = new LoadPlan.Ask(8, true, true, false);

    private static LoadPlan plan(Pace pace, long requests, List<Tenant> tenants, LoadPlan.Ask ask, Duration timeout) {
        return new LoadPlan(
                "<fake>",
                pace,
                new Prompts.Drawn(4, 2, 100, ask.chat(), 0),
                ask,
                tenants,
                requests,
                Optional.empty(),
                2,
                timeout,
                0);
    }

    private static LoadPlan plan(Pace pace, long requests) {
        return plan(pace, requests, NOBODY, STREAMS, Duration.ofMinutes(5));
    }

    private static LoadReport run(LoadPlan plan, Function<FakeServer.Request, FakeServer.Reply> replies)
            throws Exception {
        try (FakeServer server = FakeServer.answering(replies);
                ApiClient client = new ApiClient(server.url())) {
            return new LoadRun(client, plan).run(_ -> {});
        }
    }

    @Test
    void bothLoopsSendEveryRequestOnceAndCountWhatTheServerTells() throws Exception {
        for (Pace pace : List.of(new Pace.Closed(3), new Pace.Open(500))) {
            AtomicInteger asked = new AtomicInteger();

            LoadReport report = run(plan(pace, 20), request -> {
                asked.incrementAndGet();
                assertThat(request.body().path("ignore_eos").asBoolean()).isTrue();
                assertThat(request.body().path("prompt")).hasSize(4);
                return GOOD;
            });

            assertThat(asked).as("with 2 that warm up").hasValue(22);
            JsonNode json = report.toJson();
            assertThat(json.path("completed").asInt()).isEqualTo(20);
            assertThat(json.path("failed").asInt()).isZero();
            assertThat(json.path("completion_tokens").asInt()).isEqualTo(60);
            assertThat(json.path("prompt_tokens").asInt()).isEqualTo(200);
            assertThat(json.path("cached_tokens").asInt()).isEqualTo(160);
            assertThat(json.path("first_token_seconds").path("count").asInt()).isEqualTo(20);
            assertThat(json.path("between_tokens_seconds").path("count").asInt())
                    .isEqualTo(40);
            assertThat(json.path("end_to_end_seconds").path("count").asInt()).isEqualTo(20);
            assertThat(String.join("\n", report.lines()))
                    .contains("20 completed, 0 failed", "160 of them cached (80.0 %)", "time between tokens");
        }
    }

    /** Warming up and what was before is not in it. */
    @Test
    void saysHowFullAServersStagesWereMeanwhile() throws Exception {
        AtomicInteger looks = new AtomicInteger();
        LoadPlan plan = plan(new Pace.Closed(1), 3);
        LoadReport report;
        try (FakeServer server = FakeServer.answering(_ -> GOOD, () -> {
                    double times = looks.getAndIncrement() == 0 ? 100 : 110;
                    return new FakeServer.Reply(200, metrics(times), true);
                });
                ApiClient client = new ApiClient(server.url())) {
            report = new LoadRun(client, plan).run(_ -> {});
        }

        assertThat(looks).hasValue(2);
        assertThat(String.join("\n", report.lines()))
                .contains(
                        "steps                40: 3.00 ms, 4.0 sequences, 8.0 tokens",
                        "stage 0 25.0 %, stage 1 75.0 %; (S - 1)/(M + S - 1) = 40.0 % with S = 2 stages, M = 1.50 steps");
        JsonNode json = report.toJson().path("pipeline");
        assertThat(json.path("bubble").get(1).asDouble()).isCloseTo(0.75, within(1e-9));
        assertThat(json.path("steps_in_flight_mean").asDouble()).isCloseTo(1.5, within(1e-9));
    }

    private static String metrics(double times) {
        return """
                # HELP troupe_pipeline_busy_seconds Time
                troupe_pipeline_busy_seconds %s
                troupe_stage_bubble_seconds{stage="0"} %s
                troupe_stage_bubble_seconds{stage="1"} %s
                troupe_step_seconds_count %s
                troupe_step_seconds_sum %s
                troupe_step_tokens_sum %s
                troupe_step_sequences_sum %s
                """.formatted(
                        0.008 * times, 0.002 * times, 0.006 * times, 4 * times, 0.012 * times, 32 * times, 16 * times);
    }

    @Test
    void saysNothingOfStagesWhereTheServerDoesNotOrHasBegunAnew() throws Exception {
        assertThat(run(plan(new Pace.Closed(1), 3), _ -> GOOD)
                        .toJson()
                        .path("pipeline")
                        .isNull())
                .isTrue();
        PipelineUse first = PipelineUse.parse(metrics(100)).orElseThrow();
        assertThat(PipelineUse.parse(metrics(7)).orElseThrow().since(first)).isEmpty();
        assertThat(first.since(first)).isEmpty();
    }

    @Test
    void failuresAreCountedByWhatTheyWere() throws Exception {
        AtomicInteger asked = new AtomicInteger();

        LoadReport report = run(plan(new Pace.Closed(1), 6), _ -> switch (asked.getAndIncrement()) {
            case 2 -> new FakeServer.Reply(429, "{\"error\": {\"message\": \"later\", \"code\": \"too_many\"}}", true);
            case 3 -> FakeServer.stream(CHUNK.formatted("a"));
            case 4 -> FakeServer.stream("data: {\"error\": {\"message\": \"gone\", \"code\": \"lost\"}}\n\n");
            default -> GOOD;
        });

        assertThat(report.completed()).isEqualTo(3);
        assertThat(report.failed()).isEqualTo(3);
        assertThat(report.failures())
                .containsExactly(
                        new LoadReport.Failure("200 lost", 1, "gone"),
                        new LoadReport.Failure("200 not_done", 1, "the stream ended without [DONE]"),
                        new LoadReport.Failure("429 too_many", 1, "later"));
        assertThat(report.toJson().path("failures").path("429 too_many").asInt())
                .isEqualTo(1);
    }

    @Test
    void whatFailsWhileWarmingUpIsToldApart() throws Exception {
        AtomicInteger asked = new AtomicInteger();

        LoadReport report = run(
                plan(new Pace.Closed(1), 2),
                _ -> asked.getAndIncrement() < 2 ? new FakeServer.Reply(503, "", true) : GOOD);

        assertThat(report.failed()).isZero();
        assertThat(report.warmUpFailed()).isEqualTo(2);
        assertThat(report.lines()).anyMatch(line -> line.contains("2 of 2 failed while warming up"));
    }

    @Test
    void aRequestThatDoesNotEndIsGivenUp() throws Exception {
        AtomicInteger asked = new AtomicInteger();

        LoadReport report = run(
                plan(new Pace.Closed(1), 2, NOBODY, STREAMS, Duration.ofSeconds(2)),
                _ -> asked.getAndIncrement() == 2 ? new FakeServer.Reply(200, CHUNK.formatted("a"), false) : GOOD);

        assertThat(report.completed()).isEqualTo(1);
        assertThat(report.failures())
                .containsExactly(new LoadReport.Failure("timeout", 1, "no whole answer within 2.0 s"));
    }

    @Test
    void wholeAnswersHaveNoTimesOfTokens() throws Exception {
        LoadReport report = run(
                plan(new Pace.Closed(1), 2, NOBODY, new LoadPlan.Ask(8, false, false, true), Duration.ofMinutes(5)),
                request -> {
                    assertThat(request.path()).isEqualTo("/v1/chat/completions");
                    assertThat(request.body().has("stream")).isFalse();
                    assertThat(request.body()
                                    .path("messages")
                                    .path(0)
                                    .path("content")
                                    .textValue())
                            .contains(" ");
                    return new FakeServer.Reply(
                            200,
                            "{\"choices\": [{\"message\": {\"content\": \"Hi\"}}], \"usage\": {\"completion_tokens\": 5}}",
                            true);
                });

        assertThat(report.completionTokens()).isEqualTo(10);
        assertThat(report.toJson().path("first_token_seconds").isNull()).isTrue();
        assertThat(report.toJson().path("cached_tokens").isNull()).isTrue();
        assertThat(report.toJson().path("end_to_end_seconds").path("count").asInt())
                .isEqualTo(2);
    }

    @Test
    void tenantsSendTheirKeysAndGetShares() throws Exception {
        List<Tenant> tenants = List.of(new Tenant("a", "key-a", 1), new Tenant("b", "key-b", 1));

        LoadReport report = run(
                plan(new Pace.Closed(2), 20, tenants, STREAMS, Duration.ofMinutes(5)),
                request -> request.authorization().equals("Bearer key-a") ? GOOD : new FakeServer.Reply(429, "", true));

        assertThat(report.tenants()).extracting(LoadReport.TenantShare::name).containsExactly("a", "b");
        assertThat(report.tenants().getFirst().tokens()).isPositive();
        assertThat(report.tenants().getLast().completed()).isZero();
        assertThat(report.fairness()).hasValue(0.5);
        assertThat(report.toJson().path("tenants")).hasSize(2);
        assertThat(report.toString()).doesNotContain("key-a");
    }

    @Test
    void theChartIsXmlWhateverTheModelIsCalled() throws Exception {
        for (FakeServer.Reply reply : List.of(GOOD, new FakeServer.Reply(500, "", true))) {
            String svg = LatencyChart.svg(run(plan(new Pace.Closed(1), 2), _ -> reply));

            var document = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(new InputSource(new StringReader(svg)));
            assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
            assertThat(svg)
                    .contains("&lt;fake&gt;", "prefers-color-scheme: dark")
                    .doesNotContain("NaN", "Infinity");
        }
    }

    @Test
    void aPlanThatCannotBeRunIsRefused() {
        assertThatThrownBy(() -> plan(new Pace.Closed(1), 0)).hasMessageContaining("--requests 0");
        assertThatThrownBy(() -> new Pace.Closed(0)).hasMessage("--concurrency 0, expected 1 to 100000");
        assertThatThrownBy(() -> new Pace.Open(-1)).hasMessageStartingWith("--rate -1.0, expected more than 0");
        assertThatThrownBy(() -> plan(
                        new Pace.Closed(1),
                        1,
                        List.of(new Tenant("a", "k", 1), new Tenant("b", "l", 1)),
                        STREAMS,
                        Duration.ofSeconds(1)))
                .hasMessage("--concurrency 1 with 2 tenants, expected at least one for each");
    }
}
