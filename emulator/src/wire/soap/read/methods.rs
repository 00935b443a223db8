//! What each method has for arguments (TR-069 Annex A).

use std::borrow::Cow;

use super::{Cursor, Read, Stop};
use crate::wire::soap::{
    Attributes, Download, Fault, Inform, Message, NameInfo, ObjectCall, ParameterFault,
    SetAttributes, Text, TransferComplete, Value,
};

impl<'a> Cursor<'a> {
    pub(super) fn method(&mut self, name: &'a str) -> Read<Message<'a>> {
        Ok(match name {
            "Inform" => Message::Inform(Box::new(self.inform()?)),
            "InformResponse" => self.one("MaxEnvelopes", Self::number).map(|number| {
                let max_envelopes = number.unwrap_or(1);
                Message::InformResponse { max_envelopes }
            })?,
            "TransferComplete" => Message::TransferComplete(self.transfer()?),
            "GetRPCMethodsResponse" => {
                let names = self.one("MethodList", Self::strings)?;
                Message::GetRpcMethodsResponse(names.unwrap_or_default())
            }
            "GetParameterValues" => Message::GetParameterValues(self.names()?),
            "GetParameterAttributes" => Message::GetParameterAttributes(self.names()?),
            "GetParameterValuesResponse" => {
                let values = self.one("ParameterList", Self::values)?;
                Message::GetParameterValuesResponse(values.ok_or(Stop::Bad)?)
            }
            "SetParameterValues" => self.set_values()?,
            "SetParameterValuesResponse" => {
                let status = self.one("Status", Self::small)?.ok_or(Stop::Bad)?;
                Message::SetParameterValuesResponse { status }
            }
            "GetParameterNames" => self.name_query()?,
            "GetParameterNamesResponse" => {
                let names = self.one("ParameterList", |at| at.list(Self::name_info))?;
                Message::GetParameterNamesResponse(names.ok_or(Stop::Bad)?)
            }
            "GetParameterAttributesResponse" => {
                let all = self.one("ParameterList", |at| at.list(Self::attributes))?;
                Message::GetParameterAttributesResponse(all.ok_or(Stop::Bad)?)
            }
            "SetParameterAttributes" => {
                let all = self.one("ParameterList", |at| at.list(Self::set_attributes))?;
                Message::SetParameterAttributes(all.ok_or(Stop::Bad)?)
            }
            "AddObject" => Message::AddObject(self.object()?),
            "DeleteObject" => Message::DeleteObject(self.object()?),
            "AddObjectResponse" => self.added()?,
            "DeleteObjectResponse" => {
                let status = self.one("Status", Self::small)?.ok_or(Stop::Bad)?;
                Message::DeleteObjectResponse { status }
            }
            "Download" => Message::Download(Box::new(self.download()?)),
            "DownloadResponse" => self.download_response()?,
            "Reboot" => Message::Reboot {
                key: self.one("CommandKey", Self::text)?.unwrap_or_default(),
            },
            "ScheduleInform" => self.schedule()?,
            other => {
                self.skip()?;
                without_arguments(other)
            }
        })
    }

    fn inform(&mut self) -> Read<Inform<'a>> {
        let mut inform = Inform::default();
        while let Some(part) = self.child()? {
            match part.local {
                "DeviceId" => {
                    while let Some(part) = self.child()? {
                        let text = self.text()?;
                        match part.local {
                            "Manufacturer" => inform.manufacturer = text,
                            "OUI" => inform.oui = text,
                            "ProductClass" => inform.product_class = text,
                            "SerialNumber" => inform.serial = text,
                            _ => {}
                        }
                    }
                }
                "Event" => inform.events = self.list(Self::event)?,
                "MaxEnvelopes" => inform.max_envelopes = self.number()?,
                "CurrentTime" => inform.current_time = self.text()?,
                "RetryCount" => inform.retry_count = self.number()?,
                "ParameterList" => inform.parameters = self.values()?,
                _ => self.skip()?,
            }
        }
        Ok(inform)
    }

    fn event(&mut self) -> Read<(Text<'a>, Text<'a>)> {
        let mut event = (Text::default(), Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "EventCode" => event.0 = self.text()?,
                "CommandKey" => event.1 = self.text()?,
                _ => self.skip()?,
            }
        }
        Ok(event)
    }

    fn transfer(&mut self) -> Read<TransferComplete<'a>> {
        let mut transfer = TransferComplete::default();
        while let Some(part) = self.child()? {
            match part.local {
                "CommandKey" => transfer.key = self.text()?,
                "FaultStruct" => {
                    while let Some(part) = self.child()? {
                        match part.local {
                            "FaultCode" => transfer.fault = self.code()?,
                            "FaultString" => transfer.fault_text = self.text()?,
                            _ => self.skip()?,
                        }
                    }
                }
                "StartTime" => transfer.start = self.text()?,
                "CompleteTime" => transfer.complete = self.text()?,
                _ => self.skip()?,
            }
        }
        Ok(transfer)
    }

    fn set_values(&mut self) -> Read<Message<'a>> {
        let (mut values, mut key) = (None, Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "ParameterList" => values = Some(self.values()?),
                "ParameterKey" => key = self.text()?,
                _ => self.skip()?,
            }
        }
        let values = values.ok_or(Stop::Bad)?;
        Ok(Message::SetParameterValues { values, key })
    }

    fn name_query(&mut self) -> Read<Message<'a>> {
        let (mut path, mut next_level) = (None, None);
        while let Some(part) = self.child()? {
            match part.local {
                "ParameterPath" => path = Some(self.name()?),
                "NextLevel" => next_level = Some(self.switch()?),
                _ => self.skip()?,
            }
        }
        Ok(Message::GetParameterNames {
            path: path.ok_or(Stop::Bad)?,
            next_level: next_level.ok_or(Stop::Bad)?,
        })
    }

    fn name_info(&mut self) -> Read<NameInfo<'a>> {
        let (mut name, mut writable) = (None, false);
        while let Some(part) = self.child()? {
            match part.local {
                "Name" => name = Some(self.name()?),
                "Writable" => writable = self.switch()?,
                _ => self.skip()?,
            }
        }
        let name = name.ok_or(Stop::Bad)?;
        Ok(NameInfo { name, writable })
    }

    fn attributes(&mut self) -> Read<Attributes<'a>> {
        let (mut name, mut notification, mut access) = (None, 0, Vec::new());
        while let Some(part) = self.child()? {
            match part.local {
                "Name" => name = Some(self.name()?),
                "Notification" => notification = self.small()?,
                "AccessList" => access = self.strings()?,
                _ => self.skip()?,
            }
        }
        Ok(Attributes {
            name: name.ok_or(Stop::Bad)?,
            notification,
            access,
        })
    }

    fn set_attributes(&mut self) -> Read<SetAttributes<'a>> {
        let (mut name, mut changes, mut notification) = (None, (false, false), 0);
        let mut access = Vec::new();
        while let Some(part) = self.child()? {
            match part.local {
                "Name" => name = Some(self.name()?),
                "NotificationChange" => changes.0 = self.switch()?,
                "Notification" => notification = self.small()?,
                "AccessListChange" => changes.1 = self.switch()?,
                "AccessList" => access = self.strings()?,
                _ => self.skip()?,
            }
        }
        Ok(SetAttributes {
            name: name.ok_or(Stop::Bad)?,
            notification: changes.0.then_some(notification),
            access: changes.1.then_some(access),
        })
    }

    fn object(&mut self) -> Read<ObjectCall<'a>> {
        let (mut object, mut key) = (None, Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "ObjectName" => object = Some(self.name()?),
                "ParameterKey" => key = self.text()?,
                _ => self.skip()?,
            }
        }
        let object = object.ok_or(Stop::Bad)?;
        Ok(ObjectCall { object, key })
    }

    fn added(&mut self) -> Read<Message<'a>> {
        let (mut instance, mut status) = (None, 0);
        while let Some(part) = self.child()? {
            match part.local {
                "InstanceNumber" => instance = Some(self.number()?),
                "Status" => status = self.small()?,
                _ => self.skip()?,
            }
        }
        let instance = instance.ok_or(Stop::Bad)?;
        Ok(Message::AddObjectResponse { instance, status })
    }

    fn download(&mut self) -> Read<Download<'a>> {
        let mut download = Download::default();
        let (mut typed, mut located) = (false, false);
        while let Some(part) = self.child()? {
            match part.local {
                "CommandKey" => download.key = self.text()?,
                "FileType" => {
                    download.file_type = self.text()?;
                    typed = true;
                }
                "URL" => {
                    download.url = self.name()?;
                    located = true;
                }
                "Username" => download.user = self.text()?,
                "Password" => download.password = self.text()?,
                "FileSize" => download.file_size = self.number()?,
                "TargetFileName" => download.target = self.text()?,
                "DelaySeconds" => download.delay_s = self.number()?,
                "SuccessURL" => download.success_url = self.name()?,
                "FailureURL" => download.failure_url = self.name()?,
                _ => self.skip()?,
            }
        }
        if typed && located {
            Ok(download)
        } else {
            Err(Stop::Bad)
        }
    }

    fn download_response(&mut self) -> Read<Message<'a>> {
        let (mut status, mut start, mut complete) = (None, Text::default(), Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "Status" => status = Some(self.small()?),
                "StartTime" => start = self.text()?,
                "CompleteTime" => complete = self.text()?,
                _ => self.skip()?,
            }
        }
        Ok(Message::DownloadResponse {
            status: status.ok_or(Stop::Bad)?,
            start,
            complete,
        })
    }

    fn schedule(&mut self) -> Read<Message<'a>> {
        let (mut delay_s, mut key) = (None, Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "DelaySeconds" => delay_s = Some(self.number()?),
                "CommandKey" => key = self.text()?,
                _ => self.skip()?,
            }
        }
        let delay_s = delay_s.ok_or(Stop::Bad)?;
        Ok(Message::ScheduleInform { delay_s, key })
    }

    pub(super) fn fault(&mut self) -> Read<Fault<'a>> {
        let mut fault = Fault::default();
        while let Some(part) = self.child()? {
            match part.local {
                "faultstring" => fault.text = self.text()?,
                "detail" => {
                    while let Some(part) = self.child()? {
                        match part.local {
                            "Fault" => self.cwmp_fault(&mut fault)?,
                            _ => self.skip()?,
                        }
                    }
                }
                _ => self.skip()?,
            }
        }
        Ok(fault)
    }

    fn cwmp_fault(&mut self, fault: &mut Fault<'a>) -> Read<()> {
        while let Some(part) = self.child()? {
            match part.local {
                "FaultCode" => fault.code = self.code()?,
                "FaultString" => fault.text = self.text()?,
                "SetParameterValuesFault" => {
                    self.count()?;
                    let held = self.parameter_fault()?;
                    fault.parameters.push(held);
                }
                _ => self.skip()?,
            }
        }
        Ok(())
    }

    fn parameter_fault(&mut self) -> Read<ParameterFault<'a>> {
        let (mut name, mut code, mut text) = (Text::default(), 0, Text::default());
        while let Some(part) = self.child()? {
            match part.local {
                "ParameterName" => name = self.name()?,
                "FaultCode" => code = self.code()?,
                "FaultString" => text = self.text()?,
                _ => self.skip()?,
            }
        }
        Ok(ParameterFault { name, code, text })
    }

    fn values(&mut self) -> Read<Vec<Value<'a>>> {
        self.list(Self::value)
    }

    fn value(&mut self) -> Read<Value<'a>> {
        let (mut name, mut value, mut kind) = (None, None, None);
        while let Some(part) = self.child()? {
            match part.local {
                "Name" => name = Some(self.name()?),
                "Value" => {
                    kind = self.kind();
                    value = Some(self.text()?);
                }
                _ => self.skip()?,
            }
        }
        Ok(Value {
            name: name.ok_or(Stop::Bad)?,
            kind,
            value: value.ok_or(Stop::Bad)?,
        })
    }
}

/// A method that has no arguments, or none that are looked at.
fn without_arguments(name: &str) -> Message<'_> {
    match name {
        "TransferCompleteResponse" => Message::TransferCompleteResponse,
        "GetRPCMethods" => Message::GetRpcMethods,
        "SetParameterAttributesResponse" => Message::SetParameterAttributesResponse,
        "RebootResponse" => Message::RebootResponse,
        "FactoryReset" => Message::FactoryReset,
        "FactoryResetResponse" => Message::FactoryResetResponse,
        "ScheduleInformResponse" => Message::ScheduleInformResponse,
        other => Message::Unknown(Cow::Borrowed(other)),
    }
}
