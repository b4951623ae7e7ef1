// The only place that names every format.
#include "sinks/encoding/make_encoder.hpp"

#include <stdexcept>

#include "sinks/encoding/native_json.hpp"

namespace pgcourier::sinks::encoding {

std::unique_ptr<cdc::Encoder> make_encoder(config::Format format) {
  switch (format) {
    case config::Format::native:
      return std::make_unique<NativeJson>();
  }
  throw std::logic_error("a format without an encoder");
}

}  // namespace pgcourier::sinks::encoding
