package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.TemplateException;
import java.math.BigDecimal;
import java.math.BigInteger;

/** Python's numbers: whole ones of any size, of which at most 2048 bits are allowed here, and doubles. */
public final class Numbers {
    private static final int MOST_BITS = 2048;

    private Numbers() {}

    /** Whether arithmetic takes it; true and false are 1 and 0. */
    public static boolean isNumber(Object value) {
        return value instanceof Double || isWhole(value);
    }

    public static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof BigInteger || value instanceof Boolean;
    }

    /** @throws ClassCastException unless it is whole */
    public static BigInteger whole(Object value) {
        return switch (value) {
            case Long number -> BigInteger.valueOf(number);
            case Boolean flag -> flag ? BigInteger.ONE : BigInteger.ZERO;
            default -> (BigInteger) value;
        };
    }

    public static double real(Object value) {
        return switch (value) {
            case Double number -> number;
            case Long number -> number;
            default -> whole(value).doubleValue();
        };
    }

    /** The value that stands for it: a Long if it is one. */
    public static Object of(BigInteger number) {
        if (number.bitLength() < Long.SIZE) {
            return number.longValue();
        }
        if (number.bitLength() > MOST_BITS) {
            throw tooLarge(number.bitLength());
        }
        return number;
    }

    /** The whole part of a double. */
    public static Object truncated(double number) {
        if (!Double.isFinite(number)) {
            throw new TemplateException.Failed("cannot convert float %s to integer".formatted(text(number)));
        }
        return of(new BigDecimal(number).toBigInteger());
    }

    public static int compare(Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            return Long.compare(a, b);
        }
        if (isWhole(left) && isWhole(right)) {
            return whole(left).compareTo(whole(right));
        }
        double a = real(left);
        double b = real(right);
        return a == b ? 0 : Double.compare(a, b);
    }

    public static boolean equal(Object left, Object right) {
        return (isWhole(left) && isWhole(right)) ? compare(left, right) == 0 : real(left) == real(right);
    }

    public static Object negated(Object value) {
        return value instanceof Double number
                ? (Object) (-number)
                : of(whole(value).negate());
    }

    /** @throws TemplateException.Failed if the result is too large, or something is divided by zero */
    public static Object apply(Operator operator, Object left, Object right) {
        if (!isWhole(left) || !isWhole(right)) {
            return real(operator, real(left), real(right));
        }
        if (left instanceof Long a && right instanceof Long b) {
            long sum = a + b;
            if (operator == Operator.ADD && ((a ^ sum) & (b ^ sum)) >= 0) {
                return sum;
            }
        }
        return whole(operator, whole(left), whole(right));
    }

    private static Object whole(Operator operator, BigInteger a, BigInteger b) {
        return switch (operator) {
            case ADD -> of(a.add(b));
            case SUBTRACT -> of(a.subtract(b));
            case MULTIPLY -> of(a.multiply(b));
            case DIVIDE -> a.doubleValue() / nonZero(b).doubleValue();
            case FLOOR_DIVIDE -> of(floorDivide(a, nonZero(b)));
            case MODULO -> of(a.subtract(b.multiply(floorDivide(a, nonZero(b)))));
            case POWER -> power(a, b);
        };
    }

    private static BigInteger nonZero(BigInteger divisor) {
        if (divisor.signum() == 0) {
            throw new TemplateException.Failed("division by zero");
        }
        return divisor;
    }

    private static BigInteger floorDivide(BigInteger a, BigInteger b) {
        BigInteger[] parts = a.divideAndRemainder(b);
        boolean below = parts[1].signum() != 0 && parts[1].signum() != b.signum();
        return below ? parts[0].subtract(BigInteger.ONE) : parts[0];
    }

    private static Object power(BigInteger base, BigInteger exponent) {
        if (exponent.signum() < 0) {
            nonZero(base);
            return Math.pow(base.doubleValue(), exponent.doubleValue());
        }
        if (base.abs().bitLength() <= 1) {
            boolean minus = base.signum() < 0 && !exponent.testBit(0);
            return exponent.signum() == 0 || minus ? 1L : of(base);
        }
        BigInteger bits = exponent.multiply(BigInteger.valueOf(base.bitLength() - 1L));
        if (bits.bitLength() >= Integer.SIZE || bits.intValue() > MOST_BITS) {
            throw tooLarge(bits.doubleValue());
        }
        return of(base.pow(exponent.intValue()));
    }

    private static TemplateException tooLarge(double bits) {
        return new TemplateException.Failed(
                "a whole number of %.0f bits is too large; expected at most %d bits".formatted(bits, MOST_BITS));
    }

    private static Object real(Operator operator, double a, double b) {
        boolean divides = switch (operator) {
            case DIVIDE, FLOOR_DIVIDE, MODULO -> true;
            case ADD, SUBTRACT, MULTIPLY, POWER -> false;
        };
        if (divides && b == 0) {
            throw new TemplateException.Failed("division by zero");
        }
        return switch (operator) {
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> a / b;
            case FLOOR_DIVIDE -> Math.rint((a - modulo(a, b)) / b);
            case MODULO -> modulo(a, b);
            case POWER -> {
                if (a < 0 && b != Math.rint(b)) {
                    throw new TemplateException.Failed("%s ** %s is no real number".formatted(text(a), text(b)));
                }
                yield Math.pow(a, b);
            }
        };
    }

    /** The remainder with the sign of the divisor. */
    private static double modulo(double a, double b) {
        double remainder = a % b;
        return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : Math.copySign(remainder, b);
    }

    /** The shortest text that gives this double back, in Python's layout. */
    public static String text(double number) {
        if (Double.isNaN(number)) {
            return "nan";
        }
        if (Double.isInfinite(number)) {
            return number < 0 ? "-inf" : "inf";
        }
        String sign = 1 / number < 0 || number < 0 ? "-" : "";
        if (number == 0) {
            return sign + "0.0";
        }
        BigDecimal exact = new BigDecimal(Double.toString(Math.abs(number))).stripTrailingZeros();
        String digits = exact.unscaledValue().toString();
        int exponent = digits.length() - exact.scale() - 1;
        if (exponent < -4 || exponent >= 16) {
            String fraction = digits.length() == 1 ? "" : "." + digits.substring(1);
            return "%s%s%se%s%02d"
                    .formatted(sign, digits.charAt(0), fraction, exponent < 0 ? "-" : "+", Math.abs(exponent));
        }
        String plain = exact.toPlainString();
        return sign + (plain.contains(".") ? plain : plain + ".0");
    }
}
