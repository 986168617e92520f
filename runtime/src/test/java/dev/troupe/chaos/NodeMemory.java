package dev.troupe.chaos;

import dev.troupe.cluster.identity.EntityIds;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/**
 * What an idle node of a cluster on this machine, and the scheduler that it may host, hold.
 *
 * @param heapMib live objects after a full collection, in MiB
 * @param rssMib resident set, in MiB
 * @param generations that the scheduler knows
 * @param blocks KV blocks in all
 * @param freeBlocks KV blocks that can be allocated
 */
record NodeMemory(long heapMib, long rssMib, int generations, int blocks, int freeBlocks) {
    private static final Pattern RSS = Pattern.compile("VmRSS:\\s+(\\d+) kB");
    private static final Pattern HEAP = Pattern.compile("(?:DefNew|Tenured|generation)[^\\n]*?used (\\d+)K");
    private static final long KIB_PER_MIB = 1024;

    /** Looks at a node of a whole cluster. */
    static NodeMemory of(ChaosCluster cluster, String node) throws Exception {
        long pid = cluster.process(node).pid();
        jcmd(pid, "GC.run");
        String heap = jcmd(pid, "GC.heap_info");
        Matcher used = HEAP.matcher(heap);
        long kib = 0;
        while (used.find()) {
            kib += Long.parseLong(used.group(1));
        }
        if (kib == 0) {
            throw new IOException("cannot read the heap's size from: " + heap);
        }
        Matcher rss = RSS.matcher(Files.readString(Path.of("/proc", Long.toString(pid), "status")));
        if (!rss.find()) {
            throw new IOException("no VmRSS of process " + pid);
        }
        SchedulerStats stats = stats(cluster);
        return new NodeMemory(
                kib / KIB_PER_MIB,
                Long.parseLong(rss.group(1)) / KIB_PER_MIB,
                stats.generations(),
                stats.blocks(),
                stats.freeBlocks());
    }

    private static SchedulerStats stats(ChaosCluster cluster) throws Exception {
        String host = Chaos.find(cluster.describe(), "scheduler", 0).node();
        Slot slot = Slot.of(
                Incarnation.parse(Evidence.observe(cluster.chaos(), host).node()), NodeRole.CONTROL);
        ActorSystem<?> client = cluster.at(host).system();
        ActorRef<Scheduler.Command> scheduler = ActorRefResolver.get(client)
                .resolveActorRef("%s://troupe@%s/system/sharding/scheduler/%s/%s"
                        .formatted(
                                client.address().protocol(),
                                host,
                                encoded(slot.toString()),
                                encoded(EntityIds.scheduler(EntityIds.replica("tales", 0), slot))));
        return AskPattern.<Scheduler.Command, SchedulerStats>ask(
                        scheduler, Scheduler.GetStats::new, Duration.ofSeconds(20), client.scheduler())
                .toCompletableFuture()
                .get();
    }

    private static String encoded(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8);
    }

    private static String jcmd(long pid, String command) throws IOException, InterruptedException {
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(pid), command)
                .redirectErrorStream(true)
                .start();
        String output = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!jcmd.waitFor(1, TimeUnit.MINUTES) || jcmd.exitValue() != 0) {
            throw new IOException("jcmd %d %s: %s".formatted(pid, command, output));
        }
        return output;
    }
}
