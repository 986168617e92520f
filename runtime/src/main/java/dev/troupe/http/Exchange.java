package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;
import org.apache.pekko.http.javadsl.model.HttpRequest;

/**
 * A request on its way through a route.
 *
 * @param request as it came, its body read
 * @param tenant whose key it has
 * @param id what stands for {@code {id}} or {@code {path}} in the route's path, or empty
 * @param body the JSON object that came with it; empty where there was none
 * @param gone ends when the client has hung up
 */
record Exchange(HttpRequest request, String tenant, String id, ObjectNode body, CompletionStage<Done> gone) {}
