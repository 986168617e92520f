package dev.troupe.samples.violations.http.serving;

import java.net.http.HttpClient;

record StageWithHttp(HttpClient client) {}
