package dev.troupe.load;

import dev.troupe.openai.Answer;
import dev.troupe.openai.ApiException;
import dev.troupe.openai.Usage;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What is measured while requests run. Times to the first token and to the end are those of requests that completed. May be used by
 * many threads.
 */
final class Measurements {
    /** There was no token before. */
    static final long FIRST = -1;

    private final LoadPlan plan;
    private final Latencies firstToken = new Latencies();
    private final Latencies betweenTokens = new Latencies();
    private final Latencies endToEnd = new Latencies();
    private final Latencies behindSchedule = new Latencies();
    private final List<Share> shares;
    private final SortedMap<String, Failures> failures = new TreeMap<>();
    private boolean offering = true;
    private long promptTokens;
    private long cachedTokens = Usage.UNKNOWN;
    private boolean usageKnown = true;

    /** What a tenant has got. */
    private static final class Share {
        private final Tenant tenant;
        private long completed;
        private long failed;
        private long tokens;
        private long tokensWhileOffering;

        Share(Tenant tenant) {
            this.tenant = tenant;
        }

        LoadReport.TenantShare report() {
            return new LoadReport.TenantShare(
                    tenant.name(), tenant.weight(), completed, failed, tokens, tokensWhileOffering);
        }
    }

    /** Failures that look the same. */
    private static final class Failures {
        private final String example;
        private long count;

        Failures(@Nullable String example) {
            this.example = String.valueOf(example);
        }
    }

    Measurements(LoadPlan plan) {
        this.plan = plan;
        shares = plan.tenants().stream().map(Share::new).toList();
    }

    /** A request is sent so long after it was due. */
    void sent(long lateNanos) {
        behindSchedule.add(lateNanos);
    }

    /**
     * A token has come, or several at once, as far as a server's stream shows.
     *
     * @param nanos since the one before, or {@link #FIRST}
     */
    synchronized void token(int tenant, long nanos) {
        if (!plan.ask().stream()) {
            return; // a whole answer says nothing of when its tokens came
        }
        if (nanos != FIRST) {
            betweenTokens.add(nanos);
        }
        if (offering) {
            shares.get(tenant).tokensWhileOffering++;
        }
    }

    /** From now on tenants have nothing more to ask, and what they get says nothing about how fairly they are served. */
    synchronized void offersNoMore() {
        offering = false;
    }

    /**
     * A request is done.
     *
     * @param firstNanos until its first token
     * @param nanos until its end
     * @param tokens that came, for servers that do not count them
     */
    synchronized void completed(int tenant, long firstNanos, long nanos, long tokens, Answer answer) {
        Share share = shares.get(tenant);
        share.completed++;
        endToEnd.add(nanos);
        Usage usage = answer.usage();
        long counted = usage == null ? tokens : usage.completionTokens();
        share.tokens += counted;
        if (plan.ask().stream()) {
            firstToken.add(firstNanos);
        } else if (offering) {
            share.tokensWhileOffering += counted;
        }
        if (usage == null) {
            usageKnown = false;
            return;
        }
        promptTokens += usage.promptTokens();
        if (usage.cachedTokens() != Usage.UNKNOWN) {
            cachedTokens = Math.max(0, cachedTokens) + usage.cachedTokens();
        }
    }

    synchronized void failed(int tenant, ApiException failure) {
        shares.get(tenant).failed++;
        failures.computeIfAbsent(failure.label(), _ -> new Failures(failure.getMessage())).count++;
    }

    /** How far it is. */
    synchronized LoadRun.Progress progress() {
        return new LoadRun.Progress(
                shares.stream().mapToLong(share -> share.completed).sum(),
                shares.stream().mapToLong(share -> share.failed).sum(),
                shares.stream().mapToLong(share -> share.tokens).sum());
    }

    /** The whole. */
    synchronized LoadReport report(double seconds, long warmUpFailed, @Nullable PipelineUse pipeline) {
        List<LoadReport.Failure> failed = new ArrayList<>();
        failures.forEach((label, seen) -> failed.add(new LoadReport.Failure(label, seen.count, seen.example)));
        return new LoadReport(
                plan,
                seconds,
                warmUpFailed,
                new LoadReport.Tokens(usageKnown, promptTokens, cachedTokens),
                new LoadReport.Times(firstToken, betweenTokens, endToEnd, behindSchedule),
                failed,
                shares.stream().map(Share::report).toList(),
                pipeline);
    }
}
