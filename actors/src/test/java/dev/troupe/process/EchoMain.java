package dev.troupe.process;

import java.io.IOException;

/** A child for the harness's own tests: repeats, fails, or starts a grandchild and names it. */
public final class EchoMain {
    private EchoMain() {}

    public static void main(String[] arguments) throws IOException {
        ChildFleet fleet = new ChildFleet("grandchild");
        ChildLoop.run("hello", words -> switch (words[0]) {
            case "echo" -> String.join(" ", words);
            case "fail" -> throw new IllegalStateException("as asked");
            case "exit" -> {
                Runtime.getRuntime().halt(7);
                yield "never";
            }
            case "grandchild" -> String.valueOf(fleet.start("g", EchoMain.class).pid());
            default -> throw new IllegalArgumentException("unknown word '%s'".formatted(words[0]));
        });
    }
}
