package dev.troupe.cli;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import dev.troupe.chaos.Chaos;
import dev.troupe.chaos.ChaosRun;
import dev.troupe.chaos.Fault;
import dev.troupe.chaos.Moment;
import dev.troupe.client.Troupe;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A fault as the words of the command line say it: {@code kill}, {@code pause 20s}, {@code slow 5 30s},
 * {@code cut A B 10s}, {@code cut-one-way A B 10s}, {@code reset-connections}, {@code crash-in-exchange},
 * {@code stuck-kernel 60s}.
 */
record FaultChoice(List<String> words) {
    private static final String EXPECTED =
            "kill, crash-in-exchange, poison TOKEN, pause DURATION, slow FACTOR DURATION, stuck-kernel DURATION, reset-connections, cut A B DURATION, cut-one-way A B DURATION";

    private static final Map<String, Integer> WORDS = Map.of(
            "kill",
            1,
            "crash-in-exchange",
            1,
            "reset-connections",
            1,
            "poison",
            2,
            "pause",
            2,
            "stuck-kernel",
            2,
            "slow",
            3,
            "cut",
            4,
            "cut-one-way",
            4);

    FaultChoice {
        words = List.copyOf(words);
        Integer expected = words.isEmpty() ? null : WORDS.get(words.getFirst());
        if (expected == null || words.size() != expected) {
            throw new CommandFailure("'%s' is no fault; expected one of: %s, with durations as 500ms, 20s or 2m"
                    .formatted(String.join(" ", words), EXPECTED));
        }
    }

    private boolean isCut() {
        return words.size() == 4;
    }

    /**
     * The experiment.
     *
     * @param role of {@code --role}; a cut names its nodes itself
     * @param description who plays what now
     */
    ChaosRun run(String role, long seed, Moment at, Duration patience, Troupe.Description description) {
        if (!isCut()) {
            return new ChaosRun(role, seed, fault(), List.of(), at, patience);
        }
        Chaos.Role a = Chaos.find(description, words.get(1), seed);
        Chaos.Role b = Chaos.find(description, words.get(2), seed);
        if (a.node().equals(b.node())) {
            throw new CommandFailure("%s and %s are both on %s: there is nothing between them to cut"
                    .formatted(words.get(1), words.get(2), a.node()));
        }
        Duration duration = duration(words.get(3));
        List<ChaosRun.Beside> back = words.getFirst().equals("cut")
                ? List.of(new ChaosRun.Beside(b.node(), new Fault.Cut(a.node(), duration)))
                : List.of();
        return new ChaosRun(a.name(), seed, new Fault.Cut(b.node(), duration), back, at, patience);
    }

    private Fault fault() {
        return switch (words.getFirst()) {
            case "kill" -> new Fault.Kill();
            case "crash-in-exchange" -> new Fault.CrashInExchange();
            case "poison" -> new Fault.Poison(tokenId(words.get(1)));
            case "reset-connections" -> new Fault.ResetConnections();
            case "pause" -> new Fault.Pause(duration(words.get(1)));
            case "stuck-kernel" -> new Fault.StuckKernel(duration(words.get(1)));
            case "slow" -> new Fault.Slow(factor(words.get(1)), duration(words.get(2)));
            default -> throw new IllegalStateException(words.toString());
        };
    }

    private static int tokenId(String text) {
        try {
            return Integer.parseUnsignedInt(text);
        } catch (NumberFormatException e) {
            throw new CommandFailure("poison %s: expected the id of a token, for example 1999".formatted(text));
        }
    }

    private static double factor(String text) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw new CommandFailure("slow %s: expected how many times as long, for example 5".formatted(text));
        }
    }

    static Duration duration(String text) {
        try {
            return ConfigFactory.parseMap(Map.of("duration", text)).getDuration("duration");
        } catch (ConfigException e) {
            throw new CommandFailure("'%s' is no duration; expected for example 500ms, 20s or 2m".formatted(text));
        }
    }
}
