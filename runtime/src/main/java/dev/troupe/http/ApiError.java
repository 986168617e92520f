package dev.troupe.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.serving.GenerationFailure;
import org.jspecify.annotations.Nullable;

/** What a client gets instead of an answer: an HTTP status and the error object of the OpenAI API. */
final class ApiError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String type;
    private final @Nullable String param;
    private final String code;

    private ApiError(int status, String type, @Nullable String param, String code, String message) {
        super(message);
        this.status = status;
        this.type = type;
        this.param = param;
        this.code = code;
    }

    /** The request cannot be served as it is. */
    static ApiError invalid(String param, String message) {
        return new ApiError(400, "invalid_request_error", param, "invalid_value", message);
    }

    /** The request as a whole is no request. */
    static ApiError malformed(String message) {
        return new ApiError(400, "invalid_request_error", null, "malformed", message);
    }

    static ApiError tooLarge(String message) {
        return new ApiError(413, "invalid_request_error", null, "too_large", message);
    }

    static ApiError unauthorized() {
        return new ApiError(
                401,
                "authentication_error",
                null,
                "invalid_api_key",
                "no valid API key; send the header Authorization: Bearer KEY");
    }

    /** The body is of another type. */
    static ApiError notJson(String message) {
        return new ApiError(415, "invalid_request_error", null, "unsupported_media_type", message);
    }

    /** The server does not answer to that name. */
    static ApiError hostName(String message) {
        return new ApiError(403, "invalid_request_error", null, "host_not_allowed", message);
    }

    /** There was something, and it is not kept any more. */
    static ApiError dropped(String message) {
        return new ApiError(410, "not_found_error", null, "dropped", message);
    }

    /** The server ends. */
    static ApiError ending() {
        return unavailable(
                "shutting_down",
                "this server is ending; send the request again, or to another one, where a resumable stream can go on");
    }

    static ApiError notFound(String message) {
        return new ApiError(404, "not_found_error", null, "not_found", message);
    }

    static ApiError noSuchModel(String asked, String served) {
        return new ApiError(
                404,
                "not_found_error",
                "model",
                "model_not_found",
                "model=%s is not served here; this one is: %s".formatted(asked, served));
    }

    static ApiError method(String method, String allowed) {
        return new ApiError(
                405,
                "invalid_request_error",
                null,
                "method_not_allowed",
                "%s does not work here; %s does".formatted(method, allowed));
    }

    /** The tenant has too many requests running. */
    static ApiError tooMany(String message) {
        return new ApiError(429, "rate_limit_error", null, "too_many_requests", message);
    }

    /** The whole system has, or cannot serve now. */
    static ApiError unavailable(String code, String message) {
        return new ApiError(503, "server_error", null, code, message);
    }

    /** Somebody wanted it to end. */
    static ApiError cancelled(String message) {
        return new ApiError(409, "invalid_request_error", null, "cancelled", message);
    }

    static ApiError defect() {
        return new ApiError(500, "server_error", null, "internal_error", "a defect of the server; its log says more");
    }

    /** What a generation's failure is to a client. */
    static ApiError of(GenerationFailure.Kind kind, String reason) {
        return switch (kind) {
            case INVALID -> new ApiError(400, "invalid_request_error", null, "invalid_value", reason);
            case OVERLOADED -> unavailable("overloaded", reason);
            case NO_CAPACITY -> unavailable("no_capacity", reason);
            case LOST -> unavailable("lost", reason);
            case POISON -> new ApiError(500, "server_error", null, "poison", reason);
            case DEADLINE -> new ApiError(504, "timeout_error", null, "deadline", reason);
            case GONE -> notFound(reason);
            case SUPERSEDED -> new ApiError(409, "invalid_request_error", null, "superseded", reason);
            case NOT_FINITE -> new ApiError(500, "server_error", null, "not_finite", reason);
            case DEFECT -> new ApiError(500, "server_error", null, "defect", reason);
        };
    }

    int status() {
        return status;
    }

    String code() {
        return code;
    }

    /** Whether to come back later helps. */
    boolean isTemporary() {
        return status == 429 || status == 503;
    }

    /** {@code {"error": {...}}}. */
    ObjectNode toJson() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        ObjectNode error = root.putObject("error");
        error.put("message", getMessage());
        error.put("type", type);
        error.put("param", param);
        error.put("code", code);
        return root;
    }

    /** No stack: it is an answer, not a fault of ours. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
