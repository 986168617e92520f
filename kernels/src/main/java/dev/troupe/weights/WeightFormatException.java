package dev.troupe.weights;

import java.io.IOException;
import java.io.Serial;

/**
 * A weight file, or what describes it, that is malformed, contradicts itself or does not fit the model. The message
 * names the file, the tensor and the numbers.
 */
public final class WeightFormatException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    private static final int LONGEST_NAME = 120;

    public WeightFormatException(String message) {
        super(message);
    }

    public WeightFormatException(String message, Throwable cause) {
        super(message, cause);
    }

    /** A name from a file as it may be shown to people: control characters escaped, never longer than a line. */
    public static String shown(String name) {
        StringBuilder text = new StringBuilder("'");
        for (int i = 0; i < Math.min(name.length(), LONGEST_NAME); i++) {
            char c = name.charAt(i);
            if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
                text.append("\\u%04x".formatted((int) c));
            } else {
                text.append(c);
            }
        }
        return text.append(name.length() > LONGEST_NAME ? "…'" : "'").toString();
    }
}
