package dev.troupe.cli;

import dev.troupe.client.RequestFailedException;
import dev.troupe.config.ConfigurationException;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The entry point of the {@code troupe} command. */
@Command(
        name = "troupe",
        description = "Runs transformer language models on many machines as one troupe of actors.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {
            DemoCommand.class,
            GenerateCommand.class,
            ServeCommand.class,
            ChatCommand.class,
            NodeCommand.class,
            LogitsCommand.class,
            DevicesCommand.class,
            InspectCommand.class,
            QuantizeCommand.class,
            BenchCommand.class,
            BenchExchangeCommand.class,
            BenchKernelsCommand.class,
            SelfTestCommand.class,
            LoadCommand.class,
            CertsCommand.class,
            ChaosCommand.class,
            ProxyCommand.class,
            TrainStartupCommand.class
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe demo",
            "  troupe generate --model tales --prompt \"Once upon a time\"",
            "  troupe generate --model tales --prompt \"Lily\" --pipeline-parallel 2 --tensor-parallel 2 --nodes 3",
            "  troupe serve --model tales",
            "  troupe load --concurrency 8 --requests 200",
            "  troupe chat --system \"Answer in one sentence.\"",
            "  troupe node --config cluster-config/seed-1.conf",
            "  troupe certs --out certs --nodes 10.0.0.1 10.0.0.2 10.0.0.3",
            "  troupe chaos kill --connect 127.0.0.1:25520 --role stage-1/rank-0 --at token=57",
            "",
            "Exit codes: 0 done, 1 failed (one sentence on standard error says why), 2 wrong usage, 130 interrupted."
        })
public final class Main implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before run()
    private CommandSpec spec;

    public static void main(String[] arguments) {
        // Before there are threads that log, or the first messages are lost.
        LoggerFactory.getILoggerFactory();
        System.exit(commandLine().execute(arguments));
    }

    /** The whole command line, ready to execute. */
    static CommandLine commandLine() {
        return new CommandLine(new Main())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpAutoWidth(true)
                .setExecutionExceptionHandler(Main::report);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    /** What people can mend is one sentence; what only we can mend comes with its stack. */
    private static int report(Exception thrown, CommandLine command, @Nullable ParseResult ignored) {
        Throwable cause = thrown;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        boolean expected = cause instanceof IOException
                || cause instanceof IllegalArgumentException
                || cause instanceof ConfigurationException
                || cause instanceof RequestFailedException
                || cause instanceof CommandFailure;
        if (expected && cause.getMessage() != null) {
            command.getErr().println("troupe: " + cause.getMessage());
        } else {
            cause.printStackTrace(command.getErr());
        }
        command.getErr().flush();
        return CommandLine.ExitCode.SOFTWARE;
    }

    /** The version written into the jar by the build. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"troupe " + Objects.requireNonNullElse(version, "(not packaged)")};
        }
    }
}
