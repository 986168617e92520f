package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The documents and the dashboard speak of metrics that exist. */
class DashboardTest {
    private static final Pattern METRIC = Pattern.compile("\\btroupe_[a-z_]+[a-z]");
    private static final Path DOCS = Path.of("../docs");

    @Test
    void showsMetricsThatTheServerHas() throws Exception {
        Set<String> has;
        try (Served served = Served.start(Map.of("troupe.scheduler.max-generations", 1))) {
            served.server().whenWarm().toCompletableFuture().join();
            // of two generations at a time the scheduler refuses one
            HttpResponse<String> failed = served.post(
                    "/v1/completions", "{\"model\": \"tales\", \"prompt\": [\"Once\", \"Tom\"], \"max_tokens\": 100}");
            assertThat(failed.statusCode()).as(failed.body()).isEqualTo(503);
            served.post("/v1/completions", "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 3}");
            served.delete("/v1/generations/none");
            has = metrics(served.get("/metrics").body());
        }

        JsonNode dashboard = Served.JSON.readTree(Files.readString(DOCS.resolve("grafana-dashboard.json")));
        assertThat(dashboard.path("panels")).isNotEmpty();
        assertThat(metrics(dashboard.toString())).isNotEmpty().isSubsetOf(has);
        Set<String> told = metrics(Files.readString(DOCS.resolve("operations.md")));
        told.removeIf(name -> has.stream().anyMatch(metric -> metric.startsWith(name + "_")));
        assertThat(told).isSubsetOf(has);
    }

    private static Set<String> metrics(String text) {
        Set<String> names = new TreeSet<>();
        Matcher matcher = METRIC.matcher(text);
        while (matcher.find()) {
            names.add(matcher.group());
        }
        return names;
    }
}
