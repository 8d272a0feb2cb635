// camera.js - a photo from the computer's camera, where the browser gives it (https, or this machine). Phones have a file input with `capture`.

const element = (id) => document.getElementById(id);

export function offerCamera(onphoto, onproblem) {
  if (!isSecureContext || !navigator.mediaDevices?.getUserMedia || matchMedia('(pointer: coarse)').matches) return;
  const dialog = element('webcam-dialog'), video = element('video');
  element('webcam').hidden = false;
  element('webcam').onclick = async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
      dialog.showModal();
    } catch (error) {
      onproblem(error.name === 'NotAllowedError' ? 'The browser does not let this page use the camera: allow it, or choose a photo.' : 'No camera was found. Choose a photo instead.');
    }
  };
  element('close-webcam').onclick = () => dialog.close();
  element('shoot').onclick = async () => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext('2d').drawImage(video, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
    dialog.close();
    onphoto(new File([blob], 'camera.jpg', { type: 'image/jpeg' }));
  };
  dialog.onclose = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  };
}
