// From the setting `format` to its encoder.
#pragma once

#include <memory>

#include "cdc/encoder.hpp"
#include "config/settings.hpp"

namespace pgcourier::sinks::encoding {

// For one session, and never nullptr.
std::unique_ptr<cdc::Encoder> make_encoder(config::Format format);

}  // namespace pgcourier::sinks::encoding
