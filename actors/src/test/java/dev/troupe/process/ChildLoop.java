package dev.troupe.process;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * The child's side of {@link ChildJvm}: reads questions from standard input and prints answers. The process halts when the
 * input ends, so it cannot outlive the JVM that started it, however that ends.
 */
public final class ChildLoop {
    static final String ANSWER = "@= ";
    static final String FAILURE = "@! ";

    private ChildLoop() {}

    /** Answers questions. */
    @FunctionalInterface
    public interface Handler {
        /**
         * @param words of the question, at least one
         * @return one line
         * @throws Exception if it cannot be answered; its message is the answer
         */
        String answer(String[] words) throws Exception;
    }

    /** Says {@code hello}, answers until the input ends, then halts. */
    public static void run(String hello, Handler handler) throws IOException {
        PrintStream out = System.out;
        out.println(ANSWER + hello);
        try (BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            String question = questions.readLine();
            while (question != null) {
                out.println(answer(question, handler));
                question = questions.readLine();
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static String answer(String question, Handler handler) {
        try {
            return ANSWER + handler.answer(question.split(" ", -1)).replace('\n', ' ');
        } catch (Exception e) {
            e.printStackTrace(System.out);
            return FAILURE + e.toString().replace('\n', ' ');
        }
    }
}
