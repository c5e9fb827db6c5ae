//! tonic's codec, which weighs every message before it decodes it. tonic has bounded what it decompressed by then.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use super::{Limits, Weighed, WeightError, charge, message_bytes_max, weigh};
use crate::status::to_grpc;

/// Encodes `T`, weighs and decodes `U`.
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Weighed + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WeighedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        WeighedDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

/// Decodes what is not too heavy.
pub struct WeighedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default + Weighed> Decoder for WeighedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let limits = Limits { bytes: message_bytes_max(), ..Limits::default() };
        let message = buf.chunk();
        let weight = if message.len() == buf.remaining() {
            weigh(U::SHAPE, message, &limits)
        } else {
            Err(WeightError::Malformed)
        };
        weight.and_then(|weight| charge(weight.bytes)).map_err(|error| to_grpc(&error.into()))?;
        self.0.decode(buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
