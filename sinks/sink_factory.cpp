#include "sinks/sink_factory.hpp"

#include <unistd.h>

#include "sinks/file_sink.hpp"
#include "sinks/kafka_sink.hpp"
#include "sinks/null_sink.hpp"
#include "sinks/stdout_sink.hpp"

namespace pgcourier::sinks {

namespace {

// One for the process, as descriptor 1 is: a line that one session begins may be for the next one,
// or for the end of the process, to end.
LineStream& process_stdout() {
  static LineStream stream(STDOUT_FILENO);
  return stream;
}

struct Maker {
  const config::Settings& settings;
  SinkMemory& memory;

  std::unique_ptr<cdc::Sink> operator()(const config::KafkaSettings& kafka) const {
    return std::make_unique<KafkaSink>(kafka, settings.source, settings.name,
                                       memory.kafka[kafka.id]);
  }
  std::unique_ptr<cdc::Sink> operator()(const config::FilesSettings& files) const {
    return std::make_unique<FileSink>(files, settings.name);
  }
  std::unique_ptr<cdc::Sink> operator()(const config::StdoutSettings& out) const {
    return std::make_unique<StdoutSink>(out.id, process_stdout());
  }
  std::unique_ptr<cdc::Sink> operator()(const config::NullSettings& null) const {
    return std::make_unique<NullSink>(null.id);
  }
};

}  // namespace

std::vector<std::unique_ptr<cdc::Sink>> make_sinks(const config::Settings& settings,
                                                   SinkMemory& memory) {
  std::vector<std::unique_ptr<cdc::Sink>> sinks;
  for (const auto& sink : settings.sinks)
    sinks.push_back(std::visit(Maker{settings, memory}, sink));
  return sinks;
}

bool end_stdout(std::chrono::milliseconds at_most) { return process_stdout().end_line(at_most); }

}  // namespace pgcourier::sinks
