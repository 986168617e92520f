package dev.troupe.http;

import dev.troupe.serving.SchedulerStats;
import dev.troupe.serving.meter.Histogram;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.serving.meter.RankUsage;
import dev.troupe.serving.meter.StageUsage;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What Prometheus reads of the steps of an epoch: sums that the scheduler has told. They begin at zero with every epoch, and are missing
 * while there is none.
 */
record PipelineMetrics(Supplier<@Nullable SchedulerStats> stats) implements MultiCollector {
    @Override
    public MetricSnapshots collect() {
        SchedulerStats now = stats.get();
        return now == null || now.pipeline().stages().isEmpty()
                ? new MetricSnapshots()
                : of(now.pipeline(), now.plan() == null ? List.of() : now.plan().slots());
    }

    private static MetricSnapshots of(PipelineStats pipeline, List<List<String>> slots) {
        double tokens = pipeline.stepTokens().sum();
        return MetricSnapshots.builder()
                .metricSnapshot(devices(slots))
                .metricSnapshot(gauge(
                        "troupe_pipeline_stages",
                        "Stages of the epoch",
                        pipeline.stages().size()))
                .metricSnapshot(gauge(
                        "troupe_pipeline_busy_seconds",
                        "Time in which steps were in flight",
                        pipeline.busyNanos() / 1e9))
                .metricSnapshot(
                        histogram("troupe_step_seconds", "Time of a step through all stages", pipeline.stepSeconds()))
                .metricSnapshot(histogram("troupe_step_tokens", "Tokens that a step computed", pipeline.stepTokens()))
                .metricSnapshot(histogram(
                        "troupe_step_sequences", "Sequences that took part in a step", pipeline.stepSequences()))
                .metricSnapshot(stages(
                        pipeline,
                        "troupe_stage_compute_seconds",
                        "Time in which a stage computed",
                        stage -> stage.computeNanos() / 1e9))
                .metricSnapshot(stages(
                        pipeline,
                        "troupe_stage_wait_seconds",
                        "Time in which steps were open at a stage and not computed, summed over steps",
                        stage -> stage.waitNanos() / 1e9))
                .metricSnapshot(stages(
                        pipeline,
                        "troupe_stage_exchange_wait_seconds",
                        "Time in which rank 0 of a stage had nothing to compute because partial sums were missing",
                        stage -> stage.exchangeNanos() / 1e9))
                .metricSnapshot(stages(
                        pipeline,
                        "troupe_stage_bubble_seconds",
                        "Time in which steps were in flight and none was at a stage",
                        stage -> stage.bubbleNanos() / 1e9))
                .metricSnapshot(
                        stages(pipeline, "troupe_stage_tokens", "Tokens that a stage has computed", _ -> tokens))
                .metricSnapshot(stages(
                        pipeline,
                        "troupe_stage_sent_bytes",
                        "Partial sums and hidden states that rank 0 of a stage has sent",
                        StageUsage::bytesSent))
                .metricSnapshot(ranks(
                        pipeline,
                        "troupe_rank_compute_seconds",
                        "Time in which a rank did local work",
                        RankUsage::computeNanos))
                .metricSnapshot(ranks(
                        pipeline,
                        "troupe_rank_exchange_wait_seconds",
                        "Time in which a rank had nothing to compute because partial sums were missing",
                        RankUsage::exchangeNanos))
                .build();
    }

    private static GaugeSnapshot gauge(String name, String help, double value) {
        return GaugeSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                        .value(value)
                        .build())
                .build();
    }

    private static GaugeSnapshot stages(
            PipelineStats pipeline, String name, String help, ToDoubleFunction<StageUsage> value) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
        for (StageUsage stage : pipeline.stages()) {
            gauge.dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                    .labels(Labels.of("stage", Integer.toString(stage.stage())))
                    .value(value.applyAsDouble(stage))
                    .build());
        }
        return gauge.build();
    }

    private static GaugeSnapshot ranks(
            PipelineStats pipeline, String name, String help, ToDoubleFunction<RankUsage> nanos) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
        for (RankUsage rank : pipeline.ranks()) {
            gauge.dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                    .labels(Labels.of("stage", Integer.toString(rank.stage()), "rank", Integer.toString(rank.rank())))
                    .value(nanos.applyAsDouble(rank) / 1e9)
                    .build());
        }
        return gauge.build();
    }

    /** Of {@code host:port#uid/device}, by stage and rank. */
    private static InfoSnapshot devices(List<List<String>> slots) {
        InfoSnapshot.Builder info = InfoSnapshot.builder().name("troupe_rank").help("Where a rank runs");
        for (int stage = 0; stage < slots.size(); stage++) {
            for (int rank = 0; rank < slots.get(stage).size(); rank++) {
                String slot = slots.get(stage).get(rank);
                int device = slot.lastIndexOf('/');
                info.dataPoint(InfoSnapshot.InfoDataPointSnapshot.builder()
                        .labels(Labels.of(
                                "stage",
                                Integer.toString(stage),
                                "rank",
                                Integer.toString(rank),
                                "node",
                                slot.substring(0, Math.max(0, device)).replaceAll("#.*", ""),
                                "device",
                                slot.substring(device + 1)))
                        .build());
            }
        }
        return info.build();
    }

    private static HistogramSnapshot histogram(String name, String help, Histogram values) {
        List<Double> bounds = new ArrayList<>(values.bounds());
        bounds.add(Double.POSITIVE_INFINITY);
        return HistogramSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(HistogramSnapshot.HistogramDataPointSnapshot.builder()
                        .classicHistogramBuckets(ClassicHistogramBuckets.of(bounds, values.counts()))
                        .sum(values.sum())
                        .build())
                .build();
    }
}
