// Streams, graphs and events of the stand-in driver: work that is put off until somebody waits for it.
#include "standin.h"

#include <algorithm>

using namespace standin;

namespace {

constexpr unsigned EVENT_DISABLE_TIMING = 2;

std::set<const Event *> &events() {
  static std::set<const Event *> all;
  return all;
}

Result known(const Event *event) {
  return events().count(event) == 0 ? refuse(INVALID_HANDLE, "there is no such event") : SUCCESS;
}

bool alive(const Stream *stream) { return std::find(streams().begin(), streams().end(), stream) != streams().end(); }

bool is_done(const Event *event) {
  return event->stream == nullptr || !alive(event->stream) || event->stream->done >= event->after;
}

} // namespace

extern "C" {

Result cuStreamCreate(Stream **stream, unsigned) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS) {
    *stream = new Stream{};
    (*stream)->device = current;
    streams().push_back(*stream);
    counter("streams")++;
  }
  return result;
}

Result cuStreamDestroy_v2(Stream *stream) {
  Guard guard(lock);
  auto found = std::find(streams().begin(), streams().end(), stream);
  if (found == streams().end()) {
    return refuse(INVALID_HANDLE, "there is no such stream");
  }
  run_until(*stream, stream->added);
  streams().erase(found);
  counter("streams")--;
  delete stream->capture;
  delete stream;
  return SUCCESS;
}

Result cuStreamSynchronize(Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && (result = waits(*stream)) == SUCCESS) {
    result = run_until(*stream, stream->added);
  }
  return result;
}

Result cuStreamBeginCapture_v2(Stream *stream, int) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS) {
    stream->capture = new Graph{current, {}};
    stream->capturing = std::this_thread::get_id();
    stream->capture_broken = false;
  }
  return result;
}

Result cuStreamEndCapture(Stream *stream, Graph **graph) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result != SUCCESS || stream->capture == nullptr) {
    return result != SUCCESS ? result : refuse(INVALID_VALUE, "the stream does not capture");
  }
  *graph = stream->capture;
  stream->capture = nullptr;
  if (stream->capture_broken) {
    delete *graph;
    *graph = nullptr;
    return refuse(CAPTURE_INVALIDATED, "something in the capture cannot be captured");
  }
  counter("graphs")++;
  return SUCCESS;
}

Result cuGraphInstantiateWithFlags(Graph **executable, const Graph *graph, unsigned long long) {
  Guard guard(lock);
  *executable = new Graph(*graph);
  counter("graphs")++;
  return SUCCESS;
}

Result cuGraphDestroy(Graph *graph) {
  Guard guard(lock);
  delete graph;
  counter("graphs")--;
  return SUCCESS;
}

Result cuGraphExecDestroy(Graph *graph) { return cuGraphDestroy(graph); }

Result cuGraphLaunch(Graph *graph, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && graph->device != current) {
    result = refuse(INVALID_VALUE, "the graph belongs to another device");
  }
  if (result == SUCCESS) {
    counter("replays")++;
    for (const Work &work : graph->work) {
      add(*stream, work);
    }
  }
  return result;
}

Result cuEventCreate(Event **event, unsigned flags) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS) {
    *event = new Event{current};
    if ((flags & EVENT_DISABLE_TIMING) == 0) {
      (*event)->reached = std::make_shared<std::chrono::steady_clock::time_point>();
    }
    events().insert(*event);
    counter("events")++;
  }
  return result;
}

Result cuEventDestroy_v2(Event *event) {
  Guard guard(lock);
  Result result = known(event);
  if (result == SUCCESS) {
    events().erase(event);
    delete event;
    counter("events")--;
  }
  return result;
}

Result cuEventRecord(Event *event, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && stream->capture != nullptr) {
    return refuse(NOT_SUPPORTED, "the stand-in captures no events");
  }
  if (result == SUCCESS && (result = known(event)) == SUCCESS && event->device != stream->device) {
    return refuse(INVALID_HANDLE, "the event belongs to another device");
  }
  if (result == SUCCESS && event->reached != nullptr) {
    std::shared_ptr<std::chrono::steady_clock::time_point> reached = event->reached; /* outlives the event */
    result = add(*stream, [=] {
      *reached = std::chrono::steady_clock::now();
      return SUCCESS;
    });
  }
  if (result == SUCCESS) {
    event->stream = stream;
    event->after = stream->added;
  }
  return result;
}

Result cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && stream->capture != nullptr) {
    return refuse(NOT_SUPPORTED, "the stand-in captures no events");
  }
  if (result == SUCCESS && (result = known(event)) == SUCCESS && event->stream != nullptr) {
    Stream *before = event->stream;
    uint64_t after = event->after;
    result = add(*stream, [=] { return alive(before) ? run_until(*before, after) : SUCCESS; });
  }
  return result;
}

Result cuEventSynchronize(Event *event) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS) {
    result = known(event);
  }
  return result == SUCCESS && event->stream != nullptr && alive(event->stream) ? run_until(*event->stream, event->after) : result;
}

Result cuEventQuery(Event *event) {
  Guard guard(lock);
  Result result = known(event);
  if (result == SUCCESS && !event->device->fault.empty()) {
    return refuse(LAUNCH_FAILED, event->device->fault); /* also of work that was done before */
  }
  return result != SUCCESS || is_done(event) ? result : NOT_READY;
}

Result cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
  Guard guard(lock);
  if (start->reached == nullptr || end->reached == nullptr || start->stream == nullptr || end->stream == nullptr) {
    return refuse(INVALID_HANDLE, "an event was made without timing, or was not recorded");
  }
  if (!is_done(start) || !is_done(end)) {
    return NOT_READY;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(*end->reached - *start->reached).count();
  return SUCCESS;
}
}
